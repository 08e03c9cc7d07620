"""Where the bodies of tools run: in killable processes, in threads, or on event loops of their own. Runs in activities.

Never on the worker's loop, which has heartbeats to send and steps to begin.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog
from temporalio import activity

from activities.loops import BodyLoops
from activities.threads import BodyThread
from activities.tool import body_of
from agents.errors import ToolTimedOut

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from langchain_core.tools import BaseTool

    from activities.processes import ToolProcesses
    from activities.tool import ToolCall, ToolResponse
    from agents.agent import Agent, Isolation

GRACE = 5.0
"""Seconds that a cancelled body has for its own cleaning up. Processes have none."""

MARGIN = 1.0
"""Seconds before its time-out, at most a tenth of it, when a body is given up here: the server could not say why."""

log = structlog.get_logger()


class RunningBody(Protocol):
    @property
    def done(self) -> asyncio.Future[Any]: ...

    async def stop(self, grace: float) -> bool:
        """Ends the body, and says whether it has ended."""

    async def doing(self) -> str:
        """What keeps it from ending, as far as can be told."""


class Bodies:
    """All bodies of a worker. Without `processes`, synchronous ones run in threads."""

    def __init__(self, processes: ToolProcesses | None = None) -> None:
        self._processes = processes
        self._loops = BodyLoops()
        self._are_needed = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Processes are readied where tools need them, for the first takes a second or two. At the end all is ended."""
        readying = asyncio.create_task(self._processes.ready()) if self._processes and self._are_needed else None
        try:
            yield
        finally:
            if readying:
                readying.cancel()
                await asyncio.wait({readying})
            await self._loops.close()
            if self._processes:
                await self._processes.close()

    def check(self, agent: Agent) -> None:
        """Raises `ValueError` where a tool can't run where the agent says."""
        for tool in agent.tools:
            place = self.place(agent, tool)
            self._are_needed |= place == "process"
            if place == "process" and not (self._processes and self._processes.finds(agent)):
                raise ValueError(
                    f"Agent {agent.name!r}: tool {tool.name!r} is to run in a process, which can't find the agent. "
                    "Give the agent a name in a module that can be imported."
                )
            if place == "loop" and not body_of(tool)[1]:
                raise ValueError(
                    f"Agent {agent.name!r}: tool {tool.name!r} is synchronous and has no place on a loop. "
                    "Let it run in a process or in a thread."
                )

    def place(self, agent: Agent, tool: BaseTool) -> Isolation:
        """What the agent says; else a process, for a synchronous tool that a process can find, or a thread."""
        if chosen := agent.isolation_of(tool.name):
            return chosen
        _, is_async = body_of(tool)
        if is_async:
            return "loop"
        return "process" if self._processes and self._processes.finds(agent) else "thread"

    async def run(self, call: ToolCall, agent: Agent, place: Isolation) -> ToolResponse:
        if place != "process":  # for which it would have to wait
            await call.refuse_unwanted()
        running = self._start(call, agent, place)
        limit = activity.info().start_to_close_timeout
        seconds = limit.total_seconds() if limit else None
        try:
            response = await _finished(running, f"Tool {call.request.tool!r}", seconds)
        except asyncio.CancelledError:
            if not _ended_well(running.done):
                raise
            response = running.done.result()
        return cast("ToolResponse", response)

    async def call(self, what: str, function: Callable[..., Any], *args: Any) -> Any:
        """A function that belongs to a tool, with the context of the caller: on a loop of tools, or in a thread."""
        if not inspect.iscoroutinefunction(function):
            return await in_thread(what, function, *args)
        return await _finished(self._loops.start(partial(function, *args), copy_context(), what), what, None)

    def _start(self, call: ToolCall, agent: Agent, place: Isolation) -> RunningBody:
        name = call.request.tool
        if place == "process" and self._processes:
            return self._processes.start(call, agent)
        if call.is_async:
            return self._loops.start(call.carry_out_async, call.context, name, alone=place != "loop")
        return BodyThread(partial(call.context.run, call.carry_out), f"perdure-tool-{name}")


async def in_thread(what: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """For synchronous nodes. `what` names one in the log."""
    work = partial(copy_context().run, function, *args, **kwargs)
    return await _finished(BodyThread(work, "perdure-node"), what, None)


async def _finished(running: RunningBody, what: str, seconds: float | None) -> Any:
    margin = min(MARGIN, seconds / 10) if seconds else 0
    try:
        await asyncio.wait({running.done}, timeout=seconds - margin if seconds else None)
    except asyncio.CancelledError:
        await _stop(running, what, GRACE)
        raise
    if not running.done.done():
        doing = await running.doing()
        await _stop(running, what, margin / 3)
        raise ToolTimedOut(f"{what} took longer than {seconds:g} s.{f' It was {doing}.' if doing else ''}")
    try:
        return running.done.result()
    except asyncio.CancelledError:
        raise RuntimeError(f"{what} cancelled itself.") from None


def _ended_well(done: asyncio.Future[ToolResponse]) -> bool:
    """A body may do so although it was cancelled. Its effect is there then, and may have to be undone."""
    return done.done() and not done.cancelled() and done.exception() is None


async def _stop(running: RunningBody, what: str, grace: float) -> None:
    with suppress(asyncio.CancelledError):  # it is being done
        if not await running.stop(grace):
            log.warning("cancellation_ignored", by=what, now=await running.doing())
