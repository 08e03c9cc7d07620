"""Tools that are called in a node that runs as an activity: keys, and no repetition. Runs in activities.

Such calls are a part of the node's step, which Temporal tries again as a whole. What must not be repeated is noted on
the server before it begins and when it has ended, with what it gave. So the next attempt has the result, or knows that
nobody knows it. Of what can be undone the run is told as well: it has no other way to hear of an attempt that failed.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from temporalio import activity

from activities.approvals import Approving, tell_bodies_the_call
from activities.effects import reconciled
from activities.heartbeats import REPORTED
from activities.keys import TASK_KEYS
from activities.tool import body_of, chosen_by_model, types_of
from activities.wire import decode, encode
from agents.errors import FatalError, OutcomeUnknown, UnsupportedValue
from agents.idempotency import CALL_KEY
from agents.options import Done, tool_options

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from langchain_core.tools import BaseTool

    from activities.bodies import Bodies
    from activities.wire import Types
    from agents.agent import Agent
    from agents.options import ToolOptions

MOST_KEPT = 256 * 1024
"""Bytes of the results that a node's beats carry. What does not fit is not known to the next attempt."""

TOLD = "call_in_node"
"""The signal by which a run is told of a call that can be undone."""

_CALLING: ContextVar[BaseTool | None] = ContextVar("perdure_calling", default=None)
"""The tool whose body runs: one body of a tool may call the other."""


class ToldCall(BaseModel):
    """A call of a tool that can be undone. `value`, encoded, is what it gave, where that `is_known`."""

    model_config = ConfigDict(frozen=True)

    key: str
    tool: str
    state: Literal["begun", "done", "raised"]
    value: Any = None
    is_known: bool = False


def called_in_nodes(agent: Agent, bodies: Bodies) -> list[BaseTool]:
    """Copies of the agent's tools whose bodies find their key, and keep to the tool's effect."""
    types = types_of(agent)
    return [
        _with_bodies_around(
            _Calls(
                tool,
                options := tool_options(tool),
                types,
                bodies,
                chosen_by_model(tool),
                Approving(tool, types, options.approval(agent.approve)),
            )
        )
        for tool in agent.tools
    ]


def _with_bodies_around(calls: _Calls) -> BaseTool:
    tool = calls.tool
    copied = tool.model_copy()
    names = [name for name in ("func", "coroutine") if getattr(tool, name, None)]
    for name in names or ["_run", *(["_arun"] if body_of(tool)[1] else [])]:
        object.__setattr__(copied, name, calls.around(getattr(tool, name)))  # a class's own method is no field
    tell_bodies_the_call(copied)
    return copied


@dataclass(frozen=True, slots=True)
class _Calls:
    """Of one tool."""

    tool: BaseTool
    options: ToolOptions
    types: Types
    bodies: Bodies
    chosen: frozenset[str] | None
    approving: Approving

    def around(self, body: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(body)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._begun(args, kwargs) as key:
                if key is None:
                    return body(*args, **kwargs)
                if given := _now(self._given(key)):
                    return self.approving.remarked(key, given[0])
                try:
                    value = body(*args, **kwargs | self.approving.edited(key))
                except Exception:
                    _now(self._forget(key))
                    raise
                _now(self._keep(key, value))
                return self.approving.remarked(key, value)

        @functools.wraps(body)
        async def arun(*args: Any, **kwargs: Any) -> Any:
            with self._begun(args, kwargs) as key:
                if key is None:
                    return await body(*args, **kwargs)
                if given := await self._given(key):
                    return self.approving.remarked(key, given[0])
                try:
                    value = await body(*args, **kwargs | self.approving.edited(key))
                except Exception:
                    await self._forget(key)
                    raise
                await self._keep(key, value)
                return self.approving.remarked(key, value)

        return arun if inspect.iscoroutinefunction(body) else run

    @contextmanager
    def _begun(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[str | None]:
        """The body finds its key. Gives it where more than the body is to be thought of. Raises `GraphInterrupt`."""
        keys = TASK_KEYS.get()
        if keys is None or _CALLING.get() is self.tool:
            yield None
            return
        if self.is_noted and activity.info().is_local:
            raise FatalError(
                f"Tool {self.tool.name!r} can't be called in a node that is a local step, which has nowhere to note "
                "what becomes of the call. Leave `local` out of the agent's `node_step`, or declare the tool 'read', "
                "or 'idempotent' without `compensate`."
            )
        told = {name: value for name, value in kwargs.items() if self.chosen is None or name in self.chosen}
        told |= {str(place): value for place, value in enumerate(args)}
        key = keys.take(self.tool.name, told)
        if "value" not in REPORTED.get().notes.get(key, ()):
            self.approving.ask_where_undecided(key, told)
        calling, holding = _CALLING.set(self.tool), CALL_KEY.set(key)
        try:
            if self.is_noted or self.approving.may_ask:
                with keys.call():
                    yield key
            else:
                yield None
        finally:
            CALL_KEY.reset(holding)
            _CALLING.reset(calling)

    @property
    def is_noted(self) -> bool:
        return not self.options.repeatable or self.options.compensate is not None

    async def _given(self, key: str) -> tuple[Any] | None:
        """What is given in place of what the body would. `None` where it is to begin now, which is noted."""
        if rejection := self.approving.rejection(key):
            return rejection
        return await self._known(key) if self.is_noted else None

    async def _known(self, key: str) -> tuple[Any] | None:
        """What the call gave before."""
        reported = REPORTED.get()
        noted = reported.notes.get(key)
        if noted and "value" in noted:
            return (decode(noted["value"], self.types),)
        if noted is not None and not self.options.repeatable:
            await self._tell(key, "begun")  # it may not have come to that
            if found := await self._reconciled(key, noted.get("why", "its worker died in the middle of it")):
                return found
        reported.notes[key] = {}
        await reported.save()
        await self._tell(key, "begun")
        return None

    async def _reconciled(self, key: str, why: str) -> tuple[Any] | None:
        match await reconciled(self.tool, key, self.bodies):
            case Done(value):
                await self._keep(key, value)
                return (value,)
            case "not_done":
                return None
            case "unknown":
                raise OutcomeUnknown(
                    f"Tool {self.tool.name!r} was called in an earlier attempt of this node, and what became of it is "
                    f"unknown: {why}. It is not called again. Give it a `reconcile`, declare it 'idempotent' if "
                    "whatever it calls honours its key, or call it where the graph runs."
                )

    async def _keep(self, key: str, value: Any) -> None:
        if not self.is_noted:
            return
        reported = REPORTED.get()
        try:
            reported.notes[key] = {"value": encode(value, path=f"The result of {self.tool.name}")}
        except (UnsupportedValue, RecursionError) as error:
            reported.notes[key] = {"why": f"it has run, and its result can't be kept ({error})"}
        await self._tell(key, "done", **reported.notes[key])
        if len(to_json(reported.notes)) > MOST_KEPT:
            reported.notes[key] = {"why": "it has run, and its result is too large to be kept"}
        await reported.save()

    async def _forget(self, key: str) -> None:
        """A body that raises is over: it has said what happened, and the node's next attempt may call it again."""
        if not self.is_noted:
            return
        reported = REPORTED.get()
        del reported.notes[key]
        await self._tell(key, "raised")
        await reported.save()

    async def _tell(self, key: str, state: Literal["begun", "done", "raised"], **noted: Any) -> None:
        """Of what can be undone. The run has heard it when this returns."""
        if self.options.compensate:
            told = ToldCall(
                key=key, tool=self.tool.name, state=state, value=noted.get("value"), is_known="value" in noted
            )
            info = activity.info()
            run = activity.client().get_workflow_handle(info.workflow_id or "", run_id=info.workflow_run_id)
            await run.signal(TOLD, told)


def _now(work: Coroutine[Any, Any, Any]) -> Any:
    """What `work` gives, for code that can't await it."""
    loop = REPORTED.get().loop
    if asyncio._get_running_loop() is not loop:  # noqa: SLF001 -- the documented way to ask without raising
        return asyncio.run_coroutine_threadsafe(work, loop).result()
    with ThreadPoolExecutor(1) as thread:  # a node that is asynchronous, and its tool is not: the loop waits for both
        return thread.submit(copy_context().run, asyncio.run, work).result()
