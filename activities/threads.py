"""A synchronous body in a thread of its own. Runs beside the worker's event loop.

A thread can't be killed. It can be asked to stop by an exception, which it meets when it next does anything in Python:
what sleeps in C wakes first, and then does no more.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
import threading
import traceback
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


MOST_THREADS = 1_000
"""Of a loop's own pool. Made when they are needed. Python's own choice, some six, is used up by what hangs."""


class Stopped(BaseException):
    """Raised in a thread whose work is not wanted any more. No `Exception`: a body must not take it for its own."""


class BodyThread:
    """Runs `work`. Threads of a shared pool would be used up by bodies that hang, one by one."""

    def __init__(self, work: Callable[[], Any], name: str) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._at_work = True
        self.done: asyncio.Future[Any] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def stop(self, grace: float) -> bool:
        with self._lock:
            if self._at_work and self._thread.ident:
                raise_in(self._thread.ident)
        await asyncio.wait({self.done}, timeout=grace)
        return self.done.done()

    async def doing(self) -> str:
        return f"at {place_of(self._thread.ident)}"

    def _run(self) -> None:
        value, error = None, None
        try:
            try:
                value = self._work()
            except BaseException as raised:  # noqa: BLE001 -- told to whoever waits, like an executor's
                error = raised
            with self._lock:
                self._at_work = False
        except Stopped as raised:
            error = raised
        with suppress(RuntimeError):  # the loop may be gone by now
            self._loop.call_soon_threadsafe(settle, self.done, value, error)


def settle(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    """Unless nobody waits any more. A future can't carry a `StopIteration`."""
    if future.done():
        return
    if error is None:
        future.set_result(value)
    elif isinstance(error, StopIteration):
        future.set_exception(RuntimeError(f"The body raised StopIteration: {error}"))
    else:
        future.set_exception(error)
        future.exception()  # seen, should nobody wait


def raise_in(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stopped))


CALLER = "activities/tool.py"
"""The file whose functions call bodies."""


def place_of(thread: int | None) -> str:
    """The line of the body that a thread is at: `orders.py:12 in fetch`. Empty where it has ended."""
    frame = sys._current_frames().get(thread or 0)  # noqa: SLF001 -- documented, and there is no other way
    if frame is None:
        return ""
    stack = list(traceback.walk_stack(frame))  # the innermost first
    inside = list(takewhile(lambda each: not each[0].f_code.co_filename.endswith(CALLER), stack))
    found, line = (inside or stack)[-1 if len(inside) < len(stack) else 0]
    return f"{Path(found.f_code.co_filename).name}:{line} in {found.f_code.co_name}"
