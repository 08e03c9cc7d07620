"""Notes what nodes draw by themselves, clock, randomness and the process's own: no audit event tells of it.

A profile function sees each call of a C function on a workflow's thread. It runs in checks alone.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import uuid
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from temporalio import workflow

from temporal.checking.tracing import WITNESS
from workflows.guard import node_name
from workflows.lines import authors_line, caller, is_own, line_of

if TYPE_CHECKING:
    from types import FrameType

Source = Literal["random", "clock", "process", "files", "environment"]

_GLOBAL: Any = random._inst  # noqa: SLF001 -- what the module's functions belong to

WATCHED: dict[Any, tuple[Source, str]] = {
    _GLOBAL.random: ("random", "random.random()"),
    _GLOBAL.getrandbits: ("random", "random.getrandbits()"),
    os.urandom: ("random", "os.urandom()"),
    time.time: ("clock", "time.time()"),
    time.time_ns: ("clock", "time.time_ns()"),
    time.monotonic: ("clock", "time.monotonic()"),
    time.monotonic_ns: ("clock", "time.monotonic_ns()"),
    time.perf_counter: ("clock", "time.perf_counter()"),
    time.perf_counter_ns: ("clock", "time.perf_counter_ns()"),
    datetime.now: ("clock", "datetime.now()"),
    datetime.utcnow: ("clock", "datetime.utcnow()"),
    datetime.today: ("clock", "datetime.today()"),
    date.today: ("clock", "date.today()"),
    os.getpid: ("process", "os.getpid()"),
    socket.gethostname: ("process", "socket.gethostname()"),
    os.stat: ("files", "os.stat()"),
    os.lstat: ("files", "os.lstat()"),
    os.access: ("files", "os.access()"),
}
"""Built-in functions whose answers no replay gives again. A seeded `random.Random` is another object, and is none."""

_ENVIRONMENT = type(os.environ).__getitem__.__code__
_FILES = {"genericpath", "posixpath", "pathlib", "pathlib._abc", "pathlib._local"}
THROUGH = frozenset({"random", "secrets", "uuid", "tempfile", "os", "collections.abc"} | _FILES)
"""Modules of Python's own that only pass on what others ask for."""

_TIME_SAFE = getattr(uuid, "_generate_time_safe", None)
if _TIME_SAFE is not None:
    WATCHED[_TIME_SAFE] = ("clock", "uuid.uuid1()")


def install() -> None:
    """For threads that are started from now on: a worker's."""
    threading.setprofile(_profile)


def _profile(frame: FrameType, event: str, called: Any) -> None:
    if event == "c_call":
        try:
            watched = WATCHED.get(called)
        except TypeError:  # a callable without a hash
            return
        if watched:
            _note(*watched, frame)
    elif event == "call" and frame.f_code is _ENVIRONMENT:
        _note("environment", f"os.environ[{frame.f_locals.get('key')!r}]", frame)


def _note(source: Source, what: str, frame: FrameType) -> None:
    if not workflow.in_workflow() or workflow.unsafe.is_sandbox_unrestricted():
        return
    witness, asking = WITNESS.get(), caller(frame, THROUGH)
    if witness is None or asking is None:
        return
    own = is_own(asking)
    if node_name() is None and not own:  # no reducer of the author's, which runs between nodes
        return
    line = line_of(asking) if own else authors_line(asking)
    if line:
        called = what if source == "environment" else _called_by(asking, frame) or what
        witness.draw(what=called, source=source, line=line, is_own=own)


def _called_by(asking: FrameType, frame: FrameType | None) -> str | None:
    """What the asking code called itself: `uuid.uuid4()`, which then asked further."""
    inner = None
    while frame is not None and frame is not asking:
        inner, frame = frame, frame.f_back
    return f"{inner.f_globals['__name__']}.{inner.f_code.co_name}()" if inner else None
