"""Functions that run within a context of their own. Runs anywhere."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


def within(context: Callable[[dict[str, Any]], AbstractContextManager[None]], function: Any) -> Any:
    """`function`, synchronous or not, with `context` of its named arguments around each call."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with context(kwargs):
            return function(*args, **kwargs)

    @functools.wraps(function)
    async def arun(*args: Any, **kwargs: Any) -> Any:
        with context(kwargs):
            return await function(*args, **kwargs)

    return arun if inspect.iscoroutinefunction(function) else run
