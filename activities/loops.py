"""Asynchronous bodies on an event loop of their own, in a thread of its own. Runs beside the worker's event loop.

A body that blocks its loop then holds up no heartbeat and no other step's beginning: it is noticed in a second, and
what comes next is given another loop. Else there is one, so that clients which belong to a loop live on.
"""

from __future__ import annotations

import asyncio
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from activities.threads import MOST_THREADS, Stopped, place_of, raise_in, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    Work: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]

BLOCKED_SECONDS = 1.0
LOOK_SECONDS = 0.25
LAST_SECONDS = 1.0
"""For a body that has been closed, and for a thread that has been asked to end."""

_LEAVING = (Stopped, SystemExit, KeyboardInterrupt)
"""What leaves a running loop: meant for a body that has ended meanwhile, or raised by one, which has been told it."""

log = structlog.get_logger()


class BodyLoops:
    """The loops, the oldest that answers first. `close` ends them."""

    def __init__(self) -> None:
        self._loops: list[BodyLoop] = []
        self._bodies: set[LoopBody] = set()
        self._watching: asyncio.Task[None] | None = None

    def start(self, work: Work, context: Context, name: str, *, alone: bool = False) -> LoopBody:
        """Begins `work`, on a loop that it has to itself where it is to be `alone`."""
        body = LoopBody(work, context, name)
        body.move(BodyLoop() if alone else self._free())
        if alone:
            body.done.add_done_callback(lambda _done: body.loop.end())
            return body
        self._bodies.add(body)
        body.done.add_done_callback(lambda _done: self._bodies.discard(body))
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), context=Context())
        return body

    def _free(self) -> BodyLoop:
        for loop in self._loops:
            if not loop.blocked:
                return loop
        self._loops.append(BodyLoop())
        return self._loops[-1]

    async def _watch(self) -> None:
        """As long as there is a body."""
        while self._bodies:
            for loop in self._loops:
                if loop.look():
                    self._report(loop)
            await asyncio.sleep(LOOK_SECONDS)

    def _report(self, loop: BodyLoop) -> None:
        """Bodies that have not begun go elsewhere. Those that have, wait for the one that blocks them."""
        here = [body for body in self._bodies if body.loop is loop]
        for body in here:
            if body.task is None:
                body.move(self._free())
            elif body.task is loop.current():
                said = {"tool": body.name, "at": loop.place(), "waiting": len(here) - 1}
                body.context.copy().run(log.warning, "event_loop_blocked", **said)

    async def close(self) -> None:
        for loop in self._loops:
            loop.end()
        await asyncio.gather(*(asyncio.to_thread(loop.thread.join, LAST_SECONDS) for loop in self._loops))
        if self._watching is not None:
            self._watching.cancel()
        self._loops.clear()


class BodyLoop:
    """A loop and its thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(ThreadPoolExecutor(MOST_THREADS, "perdure-tools"))
        self.blocked = False
        self._asked: float | None = None
        self._suspect: asyncio.Task[Any] | None = None
        self._ending = False
        self.thread = threading.Thread(target=self._run, name="perdure-tools", daemon=True)
        self.thread.start()

    def look(self) -> bool:
        """Whether it has just been found blocked: it has not answered for long, in one and the same task."""
        current = self.current()
        if self._asked is None:
            self._asked, self._suspect, self.blocked = time.monotonic(), None, False
            self.loop.call_soon_threadsafe(self._answer)
        elif current is None or current is not self._suspect:  # it goes on, or waits for the processor
            self._suspect = current
        elif not self.blocked and time.monotonic() - self._asked > BLOCKED_SECONDS:
            self.blocked = True
            return True
        return False

    def _answer(self) -> None:
        self._asked = None

    def current(self) -> asyncio.Task[Any] | None:
        return asyncio.current_task(self.loop)

    def place(self) -> str:
        return place_of(self.thread.ident)

    def end(self) -> None:
        self._ending = True
        with suppress(RuntimeError):  # it has ended
            self.loop.call_soon_threadsafe(self.loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._ending:
            with suppress(*_LEAVING):
                self.loop.run_forever()
        _close(self.loop)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """As `asyncio.run` does it, but for bodies that go on all the same."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    with suppress(*_LEAVING):
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=LAST_SECONDS))
        loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


class LoopBody:
    """One body on a loop. `done` belongs to the worker's loop, where it is made; `_begin` runs on the other."""

    def __init__(self, work: Work, context: Context, name: str) -> None:
        self.name = name
        self.context = context
        self.task: asyncio.Task[Any] | None = None
        self.loop: BodyLoop
        self._work = work
        self._home = asyncio.get_running_loop()
        self._stopping = self._closing = False
        self._lock = threading.Lock()
        self.done: asyncio.Future[Any] = self._home.create_future()

    def move(self, loop: BodyLoop) -> None:
        with self._lock:
            if self.task is None:
                self.loop = loop
                loop.loop.call_soon_threadsafe(self._begin, loop, context=self.context)

    async def stop(self, grace: float) -> bool:
        """Cancels the body. One that goes on all the same is closed after `grace`: no more of it is carried out."""
        with self._lock:
            self._stopping = True
        for self._closing, seconds in ((False, grace), (True, min(grace, LAST_SECONDS))):
            self._cancel()
            await asyncio.wait({self.done}, timeout=seconds)
            if self.done.done():
                break
        return self.done.done()

    async def doing(self) -> str:
        return f"at {self.loop.place()}" if self._blocks() else ""

    def _blocks(self) -> bool:
        return self.task is not None and self.loop.current() is self.task

    def _begin(self, loop: BodyLoop) -> None:
        with self._lock:
            if self.loop is not loop or self.task is not None or self._stopping:
                return
            self.task = loop.loop.create_task(self._carry_out(), name=self.name)
        self.task.add_done_callback(self._tell)

    async def _carry_out(self) -> Any:
        return await self._driven(self._work())

    @types.coroutine
    def _driven(self, body: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Drives `body` by hand: so it can be closed while it waits, whatever it makes of its cancellation."""
        advance = partial(body.send, None)
        while True:
            try:
                waited = advance()
            except StopIteration as end:
                return end.value
            try:
                advance = partial(body.send, (yield waited))
            except BaseException as raised:  # noqa: BLE001 -- it is the body's
                if self._closing:
                    break
                advance = partial(body.throw, raised)
        with suppress(RuntimeError):  # it waits for something even now
            body.close()
        raise asyncio.CancelledError

    def _cancel(self) -> None:
        if self.task is None:
            settle(self.done, None, asyncio.CancelledError())
            return
        with suppress(RuntimeError):  # its loop has ended
            self.loop.loop.call_soon_threadsafe(self.task.cancel)
        if self._closing and self._blocks() and self.loop.thread.ident:
            raise_in(self.loop.thread.ident)  # it is met when the body wakes; nothing else runs there until then

    def _tell(self, task: asyncio.Task[Any]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        value = None if error else task.result()
        with suppress(RuntimeError):  # the worker's loop may be gone
            self._home.call_soon_threadsafe(settle, self.done, value, error)
