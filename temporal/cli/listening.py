"""A thread as a chat hears it: sends turns, and tells what becomes of them. Runs in the background."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.events import InterruptEvent, ResultEvent, SnapshotEvent
from agents.errors import InvalidInput, ThreadClosed
from temporal.cli.follow import announce_waits, meanwhile
from temporal.inbox import is_waiting
from workflows.contracts import Usage
from workflows.state import RunState
from workflows.turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from activities.events import Event
    from temporal.threads import Thread
    from workflows.contracts import Question
    from workflows.turns import Policy, Turn

    Told: TypeAlias = "Event | Question | Note | Begun | Queued"

PATIENCE = timedelta(seconds=5)
LOOKS = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Seconds before each look for a question that was told: it is recorded a moment later, or answered already."""

INTERVAL = 1.0

_NOBODY = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION)


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know that is no event: no worker is there."""

    text: str


@dataclass(frozen=True, slots=True)
class Begun:
    """The thread has taken the turn."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class Queued:
    """The turn was not stopped, since it waits for another one."""


class Listener:
    """It goes on from turn to turn where it has heard the last one end, and gives `tell` what comes."""

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.tell: Callable[[Told], None] = lambda _: None
        self._after: str | None = None

    def note(self, text: str) -> None:
        self.tell(Note(text))

    async def converse(self, given: str, turn: str, policy: Policy | None) -> Turn:
        """The turn at its end."""
        async with self._announcing():
            taken = await self.thread.send(given, wait=False, id=turn, policy=policy)
            return taken if taken.is_over else await self._follow(taken)

    async def follow(self, turn: Turn) -> Turn:
        """One that was sent before."""
        async with self._announcing():
            return await self._follow(turn)

    async def _follow(self, turn: Turn) -> Turn:
        self.tell(Begun(turn))
        async with _tasks() as begin, aclosing(self.thread.run.events(self._after)) as events:
            async for event in events:
                self._after = event.id
                self.tell(event)
                if wanted := _asked(event, turn.id):
                    begin(self._ask(wanted))
                if isinstance(event, ResultEvent) and (over := await self._over(turn.id, event)):
                    return over
        raise ThreadClosed(f"Thread {self.thread.id!r} has ended.")

    async def answered(self, question: Question) -> None:
        """Returns once it is answered, or does not matter any more. A thread that moves to a new execution shows none
        for a moment.
        """
        missing = 0
        while missing < len("??"):
            await asyncio.sleep(INTERVAL)
            missing = 0 if await is_waiting(self.thread.run, question) else missing + 1

    async def stop(self, identifier: str) -> None:
        """Stops the turn, where it runs: what is queued behind another one is left alone."""
        turn = await self.turn(identifier)
        if turn and turn.status == "queued":
            self.tell(Queued())
            return
        with suppress(InvalidInput):  # it was over in this moment
            await self.thread.interrupt()

    async def turn(self, identifier: str) -> Turn | None:
        found = await self.query("turns", Turns)
        return next((turn for turn in found.turns if turn.id == identifier), None) if found else None

    async def usage(self) -> Usage | None:
        usage: Usage | None = await self.query("usage", Usage)
        return usage

    async def turns(self) -> Turns | None:
        turns: Turns | None = await self.query("turns", Turns)
        return turns

    async def state(self) -> RunState | None:
        state: RunState | None = await self.query("state", RunState | None)
        return state

    async def query(self, name: str, type_: Any) -> Any:
        """None where no worker answers at the moment. Raises UnknownRun."""
        handle = self.thread.agents.client.get_workflow_handle(self.thread.id)
        with self.thread.agents.explained(self.thread.id):
            try:
                return await handle.query(name, result_type=type_, rpc_timeout=PATIENCE)
            except WorkflowQueryFailedError:
                return None
            except RPCError as error:
                if error.status in _NOBODY:
                    return None
                raise

    async def _over(self, identifier: str, event: ResultEvent) -> Turn | None:
        """The turn, where `event` was its end, or that of one which took it up, or of the thread."""
        while (turn := await self.turn(identifier)) is None:  # noqa: ASYNC110 -- whoever told it may be dead by now
            await asyncio.sleep(INTERVAL)
        if not turn.is_over and event.turn is None:
            raise ThreadClosed(f"Thread {self.thread.id!r} has ended: {event.error or event.status}.")
        return turn if turn.is_over else None

    async def _ask(self, wanted: set[str]) -> None:
        """Tells the questions themselves: events have their ids and values alone."""
        for pause in LOOKS:
            await asyncio.sleep(pause)
            for question in await self.thread.questions():
                if question.id in wanted:
                    wanted.remove(question.id)
                    self.tell(question)
            if not wanted:
                return

    @asynccontextmanager
    async def _announcing(self) -> AsyncIterator[None]:
        async with meanwhile(announce_waits(self.thread.run, self)):
            yield


@asynccontextmanager
async def _tasks() -> AsyncIterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """What is begun in the block, and is not over at its end, is not wanted any more."""
    begun: list[asyncio.Task[None]] = []
    try:
        yield lambda work: begun.append(asyncio.create_task(work))
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


def _asked(event: Event, turn: str) -> set[str]:
    match event:
        case InterruptEvent(turn=str(its)) if its == turn:
            return {event.interrupt}
        case SnapshotEvent():
            return {asked.id for asked in event.interrupts}
    return set()
