"""What a tool's process does: it finds agents by name, carries out calls one by one, and ends with the worker."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, Self

import structlog
from langgraph.store.base import BaseStore
from temporalio.testing import ActivityEnvironment

from activities.channel import (
    INFO,
    Asked,
    Beat,
    Call,
    Done,
    Failed,
    Load,
    Message,
    Ready,
    Stored,
    Where,
    Wrote,
    framed,
    read,
)
from activities.events import plainly
from activities.store import StoreRequest, checked, operation_of, result_of
from activities.threads import place_of
from activities.tool import ToolCall, types_of
from agents.agent import Agent

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from langgraph.store.base import Op, Result

    from activities.store import StoreResponse
    from activities.tool import ToolResponse
    from activities.wire import Types


def reference_of(agent: Agent) -> str | None:
    """The module and the name that `agent` can be imported by: where its graph is made, or else anywhere."""
    modules = [name for name, module in list(sys.modules.items()) if module is not sys.modules["__main__"]]
    made = getattr(agent.build, "__module__", "")
    for module in sorted(modules, key=lambda module: module != made):
        names = getattr(sys.modules.get(module), "__dict__", {})
        if found := next((name for name, value in list(names.items()) if value is agent), None):
            return f"{module}:{found}"
    return None


@cache
def _agent(reference: str) -> tuple[Agent, Types]:
    module, _, name = reference.partition(":")
    agent = getattr(import_module(module), name)
    if not isinstance(agent, Agent):
        raise TypeError(f"{reference!r} is a {type(agent).__name__} where an agents.Agent is expected.")
    return agent, types_of(agent)


def serve(channel: socket.socket) -> NoReturn:
    """Until the worker is gone."""
    with Servant(channel) as servant, asyncio.Runner() as runner:
        while True:
            servant.send(_answer(servant.next_call(), servant, runner))


def _answer(call: Call, servant: Servant, runner: asyncio.Runner) -> Done | Failed:
    environment = ActivityEnvironment()
    environment.info = INFO.validate_python(call.info)
    environment.on_heartbeat = lambda *details: servant.send(Beat(details=list(details)))
    with structlog.contextvars.bound_contextvars(**call.bound):
        try:
            return Done(response=environment.run(partial(_carried_out, call, servant, runner)))
        except BaseException as error:  # noqa: BLE001 -- SystemExit, too, is the tool's
            return Failed.by(error)


def _carried_out(call: Call, servant: Servant, runner: asyncio.Runner) -> ToolResponse:
    agent, types = _agent(call.agent)
    store = WorkersStore(servant, agent.name, types)
    tool_call = ToolCall(agent.tool(call.request.tool), call.request, types, store, servant.tell)
    if tool_call.is_async:
        return runner.run(tool_call.carry_out_async(), context=tool_call.context)
    return tool_call.context.run(tool_call.carry_out)


class Servant:
    """The process's end of the channel. A thread listens, for the main one is the body's."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._calls: queue.SimpleQueue[Call | Load] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Stored | Failed] = queue.SimpleQueue()
        self._sending = threading.Lock()
        self._asking = threading.Lock()
        self._main = threading.get_ident()

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, name="perdure-channel", daemon=True).start()
        self.send(Ready(pid=os.getpid()))
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def send(self, message: Message) -> None:
        with self._sending:
            self._channel.sendall(framed(message))

    def tell(self, value: Any) -> None:
        self.send(Wrote(value=plainly(value)))

    def next_call(self) -> Call:
        while isinstance(message := self._calls.get(), Load):
            with suppress(BaseException):  # the call will meet it again, and tell
                _agent(message.agent)
            self.send(Ready(pid=os.getpid()))
        return message

    def ask(self, request: StoreRequest) -> StoreResponse:
        """The worker's answer, or its exception."""
        with self._asking:
            self.send(Asked(request=request))
            answer = self._answers.get()
        if isinstance(answer, Failed):
            raise answer.error()
        return answer.response

    def _listen(self) -> None:
        try:
            with self._channel.makefile("rb") as stream:
                while True:
                    self._take(read(stream.read))
        finally:  # the worker is gone, and nobody waits for what this process does
            os.killpg(0, signal.SIGKILL)

    def _take(self, message: Message) -> None:
        match message:
            case Call() | Load():
                self._calls.put(message)
            case Stored() | Failed():
                self._answers.put(message)
            case Where():
                self.send(Where(place=place_of(self._main)))


class WorkersStore(BaseStore):
    """The worker's store, which one process after another need not open again."""

    def __init__(self, servant: Servant, agent: str, types: Types) -> None:
        self._servant = servant
        self._agent = agent
        self._types = types

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        asked = checked(ops)
        request = StoreRequest(agent=self._agent, operations=[operation_of(op) for op in asked])
        response = self._servant.ask(request)
        return [result_of(op, found, self._types) for op, found in zip(asked, response.results, strict=True)]

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return await asyncio.to_thread(self.batch, list(ops))
