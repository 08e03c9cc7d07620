"""A Redis or Valkey server for the tests of the streams, where the machine has one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import event_server


@contextmanager
def serve_events() -> Iterator[str]:
    program = event_server.find_server()
    if program is None:
        pytest.skip("there is no Redis or Valkey server on this machine")
    with event_server.serve_events(program) as url:
        yield url
