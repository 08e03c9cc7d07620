import os
import stat
from pathlib import Path

from temporal.dev.addresses import FILE_NAME, StackAddresses, published, read_stack, write_private
from temporal.dev.lock import hold_state

PID_OF_NOBODY = 4_194_305


def addresses(state: Path, *, owner_pid: int | None = None) -> StackAddresses:
    return StackAddresses(
        owner_pid=owner_pid or os.getpid(),
        state=state,
        temporal_address="127.0.0.1:1",
        namespace="default",
        ui_url="http://127.0.0.1:2",
        temporal_log=state / "temporal.log",
        weaviate_http_url="http://127.0.0.1:3",
        weaviate_grpc_host="127.0.0.1",
        weaviate_grpc_port=4,
        weaviate_api_key="secret",
        weaviate_log=None,
    )


async def test_a_live_stack_is_found_by_its_state_folder(tmp_path):
    async with hold_state(tmp_path):
        with published(addresses(tmp_path)):
            assert read_stack(tmp_path) == addresses(tmp_path)


async def test_only_this_user_may_read_the_file_with_the_key(tmp_path):
    with published(addresses(tmp_path)):
        assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_the_file_is_gone_after_the_stack(tmp_path):
    with published(addresses(tmp_path)):
        pass

    assert list(tmp_path.iterdir()) == []


def test_there_is_no_stack_without_a_file(tmp_path):
    assert read_stack(tmp_path) is None


async def test_a_file_whose_owner_died_is_stale(tmp_path):
    async with hold_state(tmp_path):
        with published(addresses(tmp_path, owner_pid=PID_OF_NOBODY)):
            assert read_stack(tmp_path) is None


def test_a_file_whose_owners_pid_now_belongs_to_another_process_is_stale(tmp_path):
    with published(addresses(tmp_path)):
        assert read_stack(tmp_path) is None


def test_a_file_of_another_version_is_no_stack(tmp_path):
    write_private(tmp_path / FILE_NAME, '{"temporal_address": "127.0.0.1:1"}')

    assert read_stack(tmp_path) is None


def test_the_key_is_not_shown_where_addresses_are_printed(tmp_path):
    assert "secret" not in repr(addresses(tmp_path))
