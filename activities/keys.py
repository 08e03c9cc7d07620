"""Keys for tools that are called in a node that runs as an activity. Runs in activities.

In the workflow each call is a step with a key. In a node all calls are one step, and a key is made of the node's task,
the tool, its arguments, and how many such calls came before. So an attempt that makes a call again has its key again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from agents.idempotency import hashed

if TYPE_CHECKING:
    from collections.abc import Iterator


class TaskKeys:
    """Those of one attempt of a task. `task` are texts that say which task it is, in every attempt."""

    def __init__(self, *task: str) -> None:
        self._task = task
        self._calls: Counter[tuple[str, str]] = Counter()
        self._under_way: set[Future[None]] = set()

    def take(self, tool: str, arguments: dict[str, Any]) -> str:
        call = (tool, to_json(arguments, fallback=_described).decode())
        self._calls[call] += 1
        return hashed(*self._task, *call, self._calls[call])

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around a call, on whatever thread."""
        ended: Future[None] = Future()
        self._under_way.add(ended)
        try:
            yield
        finally:
            self._under_way.discard(ended)
            ended.set_result(None)

    async def calls_ended(self) -> None:
        """Waits for those that go on though the node has ended: a call beside them failed or asked."""
        while self._under_way:
            await asyncio.wait([asyncio.wrap_future(ended) for ended in [*self._under_way]])


TASK_KEYS: ContextVar[TaskKeys | None] = ContextVar("perdure_task_keys", default=None)
"""Of the node that is running."""


def _described(value: object) -> str:
    return type(value).__name__
