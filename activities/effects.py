"""Activities that find out about a tool's effect and undo it, `<tool>.reconcile` and `<tool>.compensate`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.runnables.config import RunnableConfig, var_child_runnable_config
from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.tool import types_of
from activities.wire import decode, encode
from agents.idempotency import IDEMPOTENCY_KEY
from agents.options import Done, tool_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from langchain_core.tools import BaseTool

    from activities.bodies import Bodies
    from agents.registry import Registry


class EffectRequest(BaseModel):
    """`key` is the key of the tool call. `value`, encoded, is what a call that is to be undone returned."""

    model_config = ConfigDict(frozen=True)

    agent: str
    tool: str
    key: str
    value: Any = None


class EffectResponse(BaseModel):
    """What was found out. `value` is encoded."""

    model_config = ConfigDict(frozen=True)

    state: Literal["done", "not_done", "unknown"] = "done"
    value: Any = None


class Effects:
    """The activities of all tools of all agents that declare something of the kind."""

    def __init__(self, *, registry: Registry, bodies: Bodies) -> None:
        self._registry = registry
        self._bodies = bodies
        self._types = {agent.name: types_of(agent) for agent in registry}

    def activities(self) -> Iterator[Callable[..., Awaitable[EffectResponse]]]:
        tools = [tool for agent in self._registry for tool in agent.tools]
        for name in sorted({tool.name for tool in tools if tool_options(tool).reconcile}):
            yield _activity(reconciling(name), self._reconcile)
        for name in sorted({tool.name for tool in tools if tool_options(tool).compensate}):
            yield _activity(compensating(name), self._compensate)

    async def _reconcile(self, request: EffectRequest) -> EffectResponse:
        tool = self._registry[request.agent].tool(request.tool)
        match await reconciled(tool, request.key, self._bodies):
            case Done(value):
                return EffectResponse(state="done", value=encode(value, path=f"{request.tool}.reconcile"))
            case state:
                return EffectResponse(state=state)

    async def _compensate(self, request: EffectRequest) -> EffectResponse:
        compensate = tool_options(self._registry[request.agent].tool(request.tool)).compensate
        if compensate is not None:
            result = decode(request.value, self._types[request.agent])
            with keyed(f"{request.key}:compensation"):
                await self._bodies.call(compensating(request.tool), compensate, result, request.key)
        return EffectResponse()


async def reconciled(tool: BaseTool, key: str, bodies: Bodies) -> Done | Literal["not_done", "unknown"]:
    """What the tool's `reconcile` says that became of the call. Raises `TypeError` where it says something else."""
    reconcile = tool_options(tool).reconcile
    if reconcile is None:
        return "unknown"
    with keyed(key):
        found = await bodies.call(reconciling(tool.name), reconcile, key)
    match found:
        case Done() | "not_done" | "unknown":
            return found
        case other:
            raise TypeError(
                f"The reconcile of tool {tool.name!r} returned {other!r} where Done(value), 'not_done' or 'unknown' is "
                "expected."
            )


def reconciling(tool: str) -> str:
    return f"{tool}.reconcile"


def compensating(tool: str) -> str:
    return f"{tool}.compensate"


def _activity(
    name: str, method: Callable[[EffectRequest], Awaitable[EffectResponse]]
) -> Callable[..., Awaitable[EffectResponse]]:
    @activity.defn(name=name)
    async def carry_out(request: EffectRequest) -> EffectResponse:
        return await method(request)

    return carry_out


@contextmanager
def keyed(key: str) -> Iterator[None]:
    """`key` is what `idempotency_key()` tells."""
    token = var_child_runnable_config.set(RunnableConfig(configurable={IDEMPOTENCY_KEY: key}))
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)
