"""Spares LangChain's callbacks where nobody listens: in a workflow nobody does, as a rule. Installed once per process.

At the end of each node LangChain makes a task, shields it from cancellation and has it find out that there is no
handler; that alone is a twentieth of what a step costs. Where there are handlers, everything is as it was, except
in a run that leaves its worker's cache: what it told them would be begun and never done, as Python warns.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import manager
from langchain_core.callbacks.manager import (
    AsyncCallbackManager,
    AsyncCallbackManagerForChainRun,
    AsyncCallbackManagerForLLMRun,
    AsyncParentRunManager,
)

from workflows.determinism import is_leaving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SHIELDED = (
    (AsyncCallbackManagerForChainRun, "on_chain_end"),
    (AsyncCallbackManagerForChainRun, "on_chain_error"),
    (AsyncCallbackManagerForLLMRun, "on_llm_end"),
    (AsyncCallbackManagerForLLMRun, "on_llm_error"),
)
"""Each begins, in its task, by leaving where its `handlers` are none."""


def install() -> None:
    if hasattr(manager.ahandle_event, _MARK):
        return
    for class_, name in SHIELDED:
        setattr(class_, name, _where_heard(getattr(class_, name)))
    manager.ahandle_event = _where_handled(manager.ahandle_event)  # type: ignore[assignment]
    AsyncParentRunManager.get_child = _child_of(AsyncParentRunManager.get_child)  # type: ignore[method-assign]


_MARK = "_perdure_quiet"


def _where_heard(method: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(method)
    async def heard(self: Any, *args: Any, **options: Any) -> None:
        if self.handlers and not is_leaving():
            await method(self, *args, **options)

    return heard


def _where_handled(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(handle)
    async def handled(handlers: list[Any], *args: Any, **options: Any) -> None:
        if handlers and not is_leaving():
            await handle(handlers, *args, **options)

    setattr(handled, _MARK, True)
    return handled


def _child_of(get_child: Callable[..., AsyncCallbackManager]) -> Callable[..., AsyncCallbackManager]:
    @functools.wraps(get_child)
    def child(self: AsyncParentRunManager, tag: str | None = None) -> AsyncCallbackManager:
        tags, metadata = self.inheritable_tags, self.inheritable_metadata
        if self.inheritable_handlers or tag in tags:
            return get_child(self, tag)
        return AsyncCallbackManager(
            handlers=[],
            inheritable_handlers=[],
            parent_run_id=self.run_id,
            tags=[*tags] if tag is None else [*tags, tag],
            inheritable_tags=[*tags],
            metadata={**metadata},
            inheritable_metadata={**metadata},
        )

    return child
