import stat
from pathlib import Path

import pytest

from temporal.dev.errors import NotReadyError
from temporal.dev.ports import free_ports
from temporal.dev.weaviate import Ports, Weaviate, api_key, environment, require_ready

PORTS = Ports(gossip=1, data=2, raft=3, raft_rpc=4, http=5, grpc=6)


def test_the_server_gets_none_of_our_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a secret of ours")

    given = environment(PORTS, data=Path("data"), key="key")

    assert "OPENAI_API_KEY" not in given
    assert "a secret of ours" not in given.values()


def test_nobody_enters_without_a_key():
    given = environment(PORTS, data=Path("data"), key="key")

    assert given["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "false"
    assert given["AUTHENTICATION_APIKEY_ALLOWED_KEYS"] == "key"
    assert len(given["CLUSTER_BASIC_AUTH_PASSWORD"]) >= 32


def test_a_state_folder_keeps_its_key(tmp_path):
    assert api_key(tmp_path) == api_key(tmp_path)


def test_each_state_folder_has_a_key_of_its_own(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()

    assert api_key(one) != api_key(two)


def test_only_this_user_may_read_the_key(tmp_path):
    api_key(tmp_path)

    assert stat.S_IMODE((tmp_path / "weaviate.key").stat().st_mode) == 0o600


async def test_somebody_elses_server_that_does_not_answer_is_refused():
    (nobody,) = free_ports(1)
    server = Weaviate(http_url=f"http://127.0.0.1:{nobody}", grpc_host="127.0.0.1", grpc_port=1, api_key=None)

    with pytest.raises(NotReadyError, match=f"Weaviate at 'http://127.0.0.1:{nobody}' does not say"):
        await require_ready(server)
