import fcntl
import os

import pytest

from temporal.dev.errors import StateInUseError
from temporal.dev.lock import hold, hold_state, is_alive, is_held

PID_OF_NOBODY = 4_194_305  # above the largest that Linux and macOS give


async def test_a_second_stack_over_one_state_folder_is_refused_with_the_owners_pid(tmp_path):
    async with hold_state(tmp_path):
        with pytest.raises(StateInUseError, match=f"held by process {os.getpid()}"):
            async with hold_state(tmp_path):
                pass


async def test_a_state_folder_is_free_again_after_its_stack(tmp_path):
    async with hold_state(tmp_path):
        assert is_held(tmp_path)

    assert not is_held(tmp_path)


def test_a_folder_without_a_stack_is_not_held(tmp_path):
    assert not is_held(tmp_path)


async def test_the_servers_of_a_dead_owner_are_waited_for(tmp_path):
    lock = os.open(tmp_path / "stack.lock", os.O_RDWR | os.O_CREAT)
    os.write(lock, str(PID_OF_NOBODY).encode())
    fcntl.flock(lock, fcntl.LOCK_EX)
    waits = []

    def let_go():
        waits.append(True)
        fcntl.flock(lock, fcntl.LOCK_UN)

    async with hold(tmp_path / "stack.lock", on_wait=let_go):
        os.close(lock)

    assert waits == [True]


def test_this_process_is_alive_and_nobody_is_not():
    assert is_alive(os.getpid())
    assert not is_alive(PID_OF_NOBODY)
