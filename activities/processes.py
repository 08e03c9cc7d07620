"""Synchronous tools in processes that can be killed. The worker's side; `nursery.py` and `servant.py` are the other.

Runs in activities. A nursery, a process of one thread, has loaded what a tool needs and forks: so a process begins in
some milliseconds, and none is a copy of the worker's threads. Each process leads a group of its own, which is ended
with it, and is kept for the next call.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from temporalio import activity

from activities.channel import (
    INFO,
    LENGTH,
    Asked,
    Beat,
    Call,
    Done,
    Failed,
    Load,
    Ready,
    Stored,
    Where,
    Wrote,
    framed,
    unframed,
)
from activities.nursery import STATUS, TOLD, encoded
from activities.servant import reference_of
from activities.telling import TELLER
from agents.errors import PerdureError, ServiceUnavailable, ToolProcessDied, ToolQuarantined

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from activities.channel import Message
    from activities.store import StoreRequest, StoreResponse
    from activities.tool import ToolCall, ToolResponse
    from agents.agent import Agent

QUARANTINE = 3
"""The attempt at which a tool that ends its process is given up for good."""

MOST_IDLE = 8
START_SECONDS = 60.0
LOOK_SECONDS = 0.2
BUFFER = 1024 * 1024

log = structlog.get_logger()


class ToolProcesses:
    """At most `most` at once; further calls wait. `entry` is the module whose `main` is the nursery's."""

    def __init__(self, *, most: int, entry: str, store: Callable[[StoreRequest], Awaitable[StoreResponse]]) -> None:
        self._places = asyncio.Semaphore(most)
        self._nursery = Nursery(entry)
        self._store = store
        self._idle: list[ToolProcess] = []
        self._references: dict[str, str | None] = {}

    def finds(self, agent: Agent) -> bool:
        """Whether a process can find the agent: a module holds it under a name."""
        if agent.name not in self._references:
            self._references[agent.name] = reference_of(agent)
        return self._references[agent.name] is not None

    async def ready(self) -> None:
        """Has one process ready for the first call."""
        try:
            self._idle.append(await self._nursery.fork())
        except (PerdureError, OSError) as error:  # the first call will say it
            log.warning("no_tool_process", error=str(error))

    def start(self, call: ToolCall, agent: Agent) -> ProcessBody:
        reference = self._references[agent.name] if self.finds(agent) else None
        message = Call(
            agent=reference or "",
            request=call.request,
            info=INFO.dump_python(replace(activity.info(), task_token=b""), mode="json"),
            bound=structlog.contextvars.get_contextvars(),
        )
        return ProcessBody(self, message, call.refuse_unwanted)

    async def run(self, call: Call, body: ProcessBody, begin: Callable[[], Awaitable[None]]) -> ToolResponse:
        async with self._places:
            process = body.process = await self._free()
            try:
                await process.load(call.agent)
                await begin()
                return await self._answer(process, call)
            finally:
                body.process = None
                await asyncio.shield(self._put_back(process))

    async def _put_back(self, process: ToolProcess) -> None:
        if process.is_idle and len(self._idle) < MOST_IDLE:
            self._idle.append(process)
        else:
            await process.kill()

    async def _free(self) -> ToolProcess:
        while self._idle:
            process = self._idle.pop()
            if process.is_alive:
                return process
            await process.kill()
        return await self._nursery.fork()

    async def _answer(self, process: ToolProcess, call: Call) -> ToolResponse:
        process.is_idle = False
        await process.send(call)
        while (message := await process.receive()) is not None:
            match message:
                case Asked():
                    await process.send(await self._stored(message, call))
                case Beat():
                    activity.heartbeat(*message.details)
                case Wrote():
                    if teller := TELLER.get():
                        teller.custom(message.value)
                case Where():
                    process.answer(message.place)
                case Done():
                    process.is_idle = True
                    return message.response
                case Failed():
                    process.is_idle = True
                    raise message.error()
        raise _died(call, await process.kill())

    async def _stored(self, message: Asked, call: Call) -> Stored | Failed:
        """For whom, the call says, and not the process."""
        whose = {"agent": call.request.agent, "scope": call.request.scope}
        try:
            return Stored(response=await self._store(message.request.model_copy(update=whose)))
        except Exception as error:  # noqa: BLE001 -- the body's to handle
            return Failed.by(error)

    async def close(self) -> None:
        for process in self._idle:
            await process.kill()
        self._idle.clear()
        await self._nursery.close()


def _died(call: Call, status: int | None) -> ToolProcessDied | ToolQuarantined:
    request, attempt = call.request, activity.info().attempt
    said = (
        f"The process that ran tool {request.tool!r} of agent {request.agent!r} {_how(status)}, in attempt {attempt}."
    )
    if attempt >= QUARANTINE:
        return ToolQuarantined(f"{said} It is not tried again.")
    return ToolProcessDied(said)


def _how(status: int | None) -> str:
    if status is None:
        return "died"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        memory = " (out of memory?)" if number == signal.SIGKILL else ""
        return f"was ended by {signal.Signals(number).name}{memory}"
    return f"ended itself with exit code {os.waitstatus_to_exitcode(status)}"


class ProcessBody:
    """One call in a process. `begin` comes right before, and may refuse it."""

    def __init__(self, processes: ToolProcesses, call: Call, begin: Callable[[], Awaitable[None]]) -> None:
        self.process: ToolProcess | None = None
        self.done: asyncio.Future[ToolResponse] = asyncio.ensure_future(processes.run(call, self, begin))

    async def stop(self, grace: float) -> bool:
        """At once: what a synchronous body does can't be told to stop."""
        self.done.cancel()
        await asyncio.wait({self.done}, timeout=max(grace, 1))
        return self.done.done()

    async def doing(self) -> str:
        if self.process is None:
            return "waiting for a process (PERDURE_WORKER__TOOL_PROCESSES says how many there may be)"
        place = await self.process.place()
        return f"at {place}" if place else ""


class ToolProcess:
    """The worker's end of one process."""

    def __init__(self, nursery: Nursery, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.is_idle = True
        self._loaded: set[str] = set()
        self._place: asyncio.Future[str] | None = None
        self._pid = pid
        self._nursery = nursery
        self._reader = reader
        self._writer = writer
        self._ended: asyncio.Task[int | None] | None = None

    @property
    def is_alive(self) -> bool:
        return not self._reader.at_eof()

    async def send(self, message: Message) -> None:
        """What a process that is gone does not get, is noticed by `receive`."""
        self._writer.write(framed(message))
        with suppress(ConnectionError):
            await self._writer.drain()

    async def receive(self) -> Message | None:
        return await received(self._reader)

    async def load(self, agent: str) -> None:
        """What fails here, or ends the process, does so again in the call."""
        if agent in self._loaded:
            return
        self.is_idle = False
        await self.send(Load(agent=agent))
        while isinstance(message := await self.receive(), Where):
            self.answer(message.place)
        self.is_idle = message is not None
        self._loaded.add(agent)

    async def place(self) -> str:
        """The line that its body is at. It may have no time to say it."""
        self._place = asyncio.get_running_loop().create_future()
        await self.send(Where())
        await asyncio.wait({self._place}, timeout=LOOK_SECONDS)
        return self._place.result() if self._place.done() else ""

    def answer(self, place: str) -> None:
        if self._place and not self._place.done():
            self._place.set_result(place)

    async def kill(self) -> int | None:
        """Ends it and all that it has started, once. How it had ended, had it ended by itself."""
        if self._ended is None:
            self._ended = asyncio.create_task(self._end())
        return await asyncio.shield(self._ended)

    async def _end(self) -> int | None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        return await self._nursery.status(self._pid)


async def received(reader: asyncio.StreamReader) -> Message | None:
    try:
        return unframed(await reader.readexactly(int.from_bytes(await reader.readexactly(LENGTH))))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


class Nursery:
    """The process that forks the others. It is started when first needed, and again when it is gone."""

    def __init__(self, entry: str) -> None:
        self._entry = entry
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None

    async def fork(self) -> ToolProcess:
        reader, writer = await asyncio.open_connection(sock=await self._channel(), limit=BUFFER)
        try:
            async with asyncio.timeout(START_SECONDS):
                first = await received(reader)
        except BaseException:
            writer.close()  # a process that is alone ends
            raise
        if not isinstance(first, Ready):
            writer.close()
            raise ServiceUnavailable("No process for a tool could be started; the worker's log says why.")
        return ToolProcess(self, first.pid, reader, writer)

    async def _channel(self) -> socket.socket:
        """To a process that is being forked."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                async with self._lock:
                    socket.send_fds(await self._open(), [encoded(0)], [theirs.fileno()])
            except BaseException:
                ours.close()
                raise
        return ours

    async def _open(self) -> socket.socket:
        if self._process is not None and self._control is not None and self._process.returncode is None:
            return self._control
        await self._end()
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)  # noqa: FBT003 -- the socket's own signature
        code = f"import sys; sys.path[:] = {sys.path!r}; from {self._entry} import main; main({theirs.fileno()})"
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                code,
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # what ends the worker's group must not end who cleans up after it
            )
        return self._control

    async def status(self, pid: int) -> int | None:
        """How `pid` ended, as `os.waitpid` tells it; None where nobody knows. It must be at its end."""
        async with self._lock:
            if self._control is None:
                return None
            try:
                await asyncio.get_running_loop().sock_sendall(self._control, encoded(pid))
                async with asyncio.timeout(START_SECONDS):
                    told = await self._told(self._control)
            except (OSError, TimeoutError):
                await self._end()
                return None
        return STATUS.unpack(told)[0] if len(told) == TOLD else None

    async def _told(self, control: socket.socket) -> bytes:
        told = b""
        while len(told) < TOLD and (more := await asyncio.get_running_loop().sock_recv(control, TOLD - len(told))):
            told += more
        return told

    async def close(self) -> None:
        async with self._lock:
            await self._end()

    async def _end(self) -> None:
        """Its socket's end is what tells a nursery to end, and all its processes with it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            await self._process.wait()
            self._process = None
