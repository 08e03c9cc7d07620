"""The stack that the pictures are taken of: `perdure dev` over an empty folder, with nothing of the user's settings."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from temporal.dev.errors import PortInUseError
from temporal.dev.ports import require_free

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UI_PORT = 8233
"""The usual port of Temporal's web UI. Another one is taken where it is not free."""
PASSED_ON = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME")
WELCOME = b"Ctrl-C stops everything."
PATIENCE = 120.0


class NotRunning(Exception):
    pass


def environment(home: Path, model: str = "extractive") -> dict[str, str]:
    """What commands see: a state folder of their own, no vendor's key and no setting but the model."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        **passed_on,
        **_ports(),
        "LANG": "C.UTF-8",
        "PERDURE_STATE": str(home / "state"),
        "PERDURE_MODEL": model,
        "OPENAI_API_KEY": "none",
    }


@contextmanager
def open_stack(home: Path, model: str = "extractive") -> Iterator[None]:
    """`perdure dev`, from its welcome to its end."""
    log = home / "dev.log"
    with log.open("wb") as output, _dev(home, model, output.fileno()) as dev:
        try:
            _wait_for_welcome(dev, log)
            yield
        finally:
            dev.terminate()


def _dev(home: Path, model: str, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "temporal.cli", "dev"],
        cwd=home,
        env=environment(home, model),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


def _ports() -> dict[str, str]:
    try:
        require_free(UI_PORT, purpose="Temporal's web UI")
    except PortInUseError:
        return {}
    return {"PERDURE_DEV__UI_PORT": str(UI_PORT)}


def _wait_for_welcome(dev: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while WELCOME not in log.read_bytes():
        if dev.poll() is not None or time.monotonic() > deadline:
            raise NotRunning(f"`perdure dev` did not come up within {PATIENCE:.0f} s:\n{log.read_text()}")
        time.sleep(0.1)
