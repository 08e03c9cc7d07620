"""Hands events to a transport without holding a run up: a thread with a bounded queue. Runs in workers.

What does not fit is dropped, and a gap event tells the run's watchers how much that was.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Protocol

import structlog

from activities.events import EventSink, NoEvents, encoded
from activities.masking import mask_credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

LONGEST_QUEUE = 10_000
"""Events. A watcher is not worth a run: what the transport does not take in time is dropped."""

LARGEST_QUEUE = 64 * 1024 * 1024
MOST_AT_ONCE = 1_000
STOP_SECONDS = 5
AGAIN_SECONDS = 0.5

log = structlog.get_logger()

Told = tuple[str, bytes]
"""A run, and an event of it."""


class Outlet(Protocol):
    """Where a transport's events go. `failures` are what `write` may raise when the other side is not there."""

    @property
    def failures(self) -> tuple[type[Exception], ...]: ...

    def write(self, events: Sequence[Told]) -> None: ...

    def close(self) -> None: ...


class Cursor(Protocol):
    """One watcher's place in a run's stream."""

    async def read(self, wait: float) -> list[tuple[str, str]]:
        """The next events with their places, oldest first; nothing where none came within `wait` seconds."""


class EventTransport(Protocol):
    """Takes events from workers and gives them to any number of watchers."""

    def publishing(self) -> AbstractContextManager[EventSink]:
        """A sink that ends with the block. What is queued by then is still written."""

    def follow(self, run: str, after: str | None) -> AbstractAsyncContextManager[Cursor]:
        """What is kept of `run` after the place `after`, and what comes."""


class Publisher(threading.Thread):
    """Writes what has gathered, at most once in `pause` seconds; what comes after a silence is written at once."""

    def __init__(self, outlet: Outlet, *, pause: float) -> None:
        super().__init__(name="perdure-events", daemon=True)
        self._outlet = outlet
        self._pause = pause
        self._queue: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._bytes = 0
        self._dropped: Counter[str] = Counter()
        self._ending = threading.Event()

    def publish(self, run: str, event: bytes) -> None:
        with self._lock:
            if self._queue.qsize() >= LONGEST_QUEUE or self._bytes + len(event) > LARGEST_QUEUE:
                self._dropped[run] += 1
                return
            self._bytes += len(event)
        self._queue.put((run, event))

    def stop(self) -> None:
        """What is queued is still written, unless the transport does not take it."""
        self._ending.set()
        self._queue.put(None)
        self.join(STOP_SECONDS)

    def run(self) -> None:
        while not (self._ending.is_set() and self._queue.empty()):
            self._write(self._gathered(self._queue.get()))
            self._ending.wait(self._pause)  # here nothing wakes the thread: each waking takes time from the runs
        self._outlet.close()

    def _gathered(self, first: Told | None) -> list[Told]:
        """`None` only wakes the thread."""
        events = [first]
        while len(events) < MOST_AT_ONCE and not self._queue.empty():
            events.append(self._queue.get_nowait())
        taken = [event for event in events if event is not None]
        with self._lock:
            self._bytes -= sum(len(event) for _, event in taken)
        return taken

    def _write(self, events: list[Told]) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, Counter()
        gaps = [(run, encoded(run, "gap", 0, missed=missed)) for run, missed in dropped.items()]
        try:
            self._outlet.write([*events, *gaps])
        except self._outlet.failures as error:  # a full disk, a lock held for long, a server that is gone
            log.warning("events_lost", events=len(events), error=mask_credentials(str(error)))
            with self._lock:
                self._dropped += dropped + Counter(run for run, _ in events)
            self._ending.wait(AGAIN_SECONDS)


@contextmanager
def publishing(outlet: Outlet, *, pause: float) -> Iterator[EventSink]:
    publisher = Publisher(outlet, pause=pause)
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()


class NoTransport:
    """Where there is nothing to follow: a watcher is told by the workflow alone."""

    @contextmanager
    def publishing(self) -> Iterator[EventSink]:
        yield NoEvents()

    @asynccontextmanager
    async def follow(self, run: str, after: str | None) -> AsyncIterator[Cursor]:  # noqa: ARG002 -- the protocol's
        yield _Silence()


class _Silence:
    async def read(self, wait: float) -> list[tuple[str, str]]:
        await asyncio.sleep(wait)
        return []
