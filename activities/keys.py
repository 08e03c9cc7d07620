"""Keys for tools that are called in a node that runs as an activity. Runs in activities.

In the workflow each call is a step with a key. In a node all calls are one step, and a key is made of the node's task,
the tool, its arguments, and how many such calls came before. So an attempt that makes a call again has its key again.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from activities.tool import chosen_by_model
from activities.within import within
from agents.idempotency import CALL_KEY, hashed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_core.tools import BaseTool


class TaskKeys:
    """Those of one attempt of a task. `task` are texts that say which task it is, in every attempt."""

    def __init__(self, *task: str) -> None:
        self._task = task
        self._calls: Counter[tuple[str, str]] = Counter()

    def take(self, tool: str, arguments: dict[str, Any]) -> str:
        call = (tool, to_json(arguments, fallback=_described).decode())
        self._calls[call] += 1
        return hashed(*self._task, *call, self._calls[call])


TASK_KEYS: ContextVar[TaskKeys | None] = ContextVar("perdure_task_keys", default=None)
"""Of the node that is running."""


def keyed(tool: BaseTool) -> BaseTool:
    """A copy whose body finds its key. A tool that is a class of its own stays as it is."""
    bodies = {name: body for name in ("func", "coroutine") if (body := getattr(tool, name, None))}
    return tool.model_copy(update={name: _with_key(tool, body) for name, body in bodies.items()}) if bodies else tool


def _with_key(tool: BaseTool, body: Callable[..., Any]) -> Any:
    chosen = chosen_by_model(tool)

    @contextmanager
    def key(arguments: dict[str, Any]) -> Iterator[None]:
        keys = TASK_KEYS.get()
        told = {name: value for name, value in arguments.items() if chosen is None or name in chosen}
        token = CALL_KEY.set(keys.take(tool.name, told) if keys else None)
        try:
            yield
        finally:
            CALL_KEY.reset(token)

    return within(key, body)


def _described(value: object) -> str:
    return type(value).__name__
