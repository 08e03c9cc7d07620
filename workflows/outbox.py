"""What one workflow task sends to the server: in pieces that it takes. Runs in workflows.

The server takes messages of 4 MiB and 2,000 open activities of a run. Past either, it refuses the whole task, which is
then tried for ever. A graph that starts more steps at once is held back here, in the order in which it asked.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from temporalio import workflow

from activities.sizes import LIMITS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST_SENT = 3 * 1024 * 1024
MOST_OPEN = 1_000

COMMAND_BYTES = 1_024
"""What a step takes beside its payload: names, timeouts, a summary."""


class Outbox:
    """One per run. Nothing waits, and no order changes, while a run stays below the limits."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._task = 0
        self._sent = 0
        self._open = 0

    @asynccontextmanager
    async def step(self, size: int) -> AsyncIterator[None]:
        """Entered when the task has room for a step whose payload has `size` bytes, left when the step is over."""
        sent = LIMITS.get().inline(size) + COMMAND_BYTES
        async with self._turn:
            if not self._has_room(sent):
                await workflow.wait_condition(lambda: self._has_room(sent))
            self._sent += sent
            self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def _has_room(self, sent: int) -> bool:
        """A task is told by the length of the history, which is the same on replay."""
        task = workflow.info().get_current_history_length()
        if task != self._task:
            self._task, self._sent = task, 0
        return self._open < MOST_OPEN and (self._sent == 0 or self._sent + sent <= MOST_SENT)


OUTBOX: ContextVar[Outbox] = ContextVar("perdure_outbox")
"""The outbox of the run. The worker's interceptor sets it."""
