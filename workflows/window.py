"""How many steps of a run may be under way at once. Runs in workflows.

The server takes 2,000 pending activities of a run, and 4 MB in the message that schedules them. What is over that would
fail the workflow task for ever, so it waits here, first come first served.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST_STEPS = 500
MOST_BYTES = 2 * 1024 * 1024


class Window:
    """One for each execution. A step that is larger than the whole window has it to itself."""

    def __init__(self, *, steps: int = MOST_STEPS, size: int = MOST_BYTES) -> None:
        self._most_steps, self._most_bytes = steps, size
        self._steps = self._bytes = 0
        self.calls = asyncio.Semaphore(steps)
        """Of tools. LangChain needs a millisecond before each, and a workflow task has two seconds for all it does."""
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def place(self, size: int) -> AsyncIterator[None]:
        """A place for a step whose request has `size` bytes."""
        await self._enter(size)
        try:
            yield
        finally:
            self._leave(size)

    async def _enter(self, size: int) -> None:
        if not self._waiting and self._fits(size):
            self._take(size)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(size)
            raise

    def _leave(self, size: int) -> None:
        self._steps -= 1
        self._bytes -= size
        while self._waiting and (self._waiting[0][1].cancelled() or self._fits(self._waiting[0][0])):
            size, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._take(size)
                turn.set_result(None)

    def _fits(self, size: int) -> bool:
        return not self._steps or (self._steps < self._most_steps and self._bytes + size <= self._most_bytes)

    def _take(self, size: int) -> None:
        self._steps += 1
        self._bytes += size


WINDOW: ContextVar[Window] = ContextVar("perdure_window")
"""The window of the execution that runs. Its interceptor sets it."""
