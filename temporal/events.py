"""Follows what a run tells: from its stream, and by the workflow's queries where that has holes. Runs in clients.

async for event in agents.events("orders-1a2b3c4d"): ...

A watcher holds nothing for the run, and the run nothing for its watchers: what comes is read when it is asked for.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from activities.events import GapEvent, ResetEvent, ResultEvent, RunEvent, SnapshotEvent, ValuesEvent, decoded
from agents.errors import InvalidInput, PayloadMissing
from temporal.outcome import RunFailed
from temporal.progress import describe
from workflows.contracts import AGENT_WORKFLOW

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from activities.events import Event
    from activities.publishing import Cursor, EventTransport
    from temporal.client import Run

WAIT, LAST_WAIT = 0.5, 1.0
"""Seconds of silence in which the stream is taken to have nothing more at the moment; and once the run is over."""

QUERY_TIMEOUT = timedelta(seconds=5)
FIRST_LOOK, LAST_LOOK = 2.0, 20.0
"""Seconds of silence after which the server is asked whether the run has gone on unheard. It is asked ever less."""

PAUSES = (0.05, 0.2, 0.5, 1.0)
MOST_STEPS = 2_000

_STATUS = {"CancelledError": "cancelled", "TerminatedError": "terminated", "TimeoutError": "timed_out"}


def _is_done(task: asyncio.Task[Any] | None) -> bool:
    return task is not None and task.done()


@dataclass
class Place:
    """Where a watcher is: a place in the stream, and the number of the run's last event that it has been told.

    Of each step that it has heard of, the attempt and the number of its last event.
    """

    stream: str | None = None
    sequence: int = 0
    steps: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, identifier: str | None) -> Place:
        if identifier is None:
            return cls()
        sequence, dot, stream = identifier.partition(".")
        if not dot or not sequence.isdigit() or not (stream or "0").replace("-", "").isdigit():
            raise InvalidInput(f"{identifier!r} is no id of an event. Give the `id` of the last one that you have.")
        return cls(stream or None, int(sequence))

    @property
    def id(self) -> str:
        return f"{self.sequence}.{self.stream or ''}"

    def note(self, step: str, attempt: int, sequence: int) -> None:
        self.steps[step] = (attempt, sequence)
        if len(self.steps) > MOST_STEPS:
            self.steps = dict(list(self.steps.items())[MOST_STEPS // 2 :])


class Watch:
    """One watcher of one run, from after event `after`. With `values` it is told the state after each update, too."""

    def __init__(self, run: Run, transport: EventTransport, *, after: str | None, values: bool = False) -> None:
        self._run = run
        self._transport = transport
        self._place = Place.of(after)
        self._is_back = after is not None
        self._values = values
        self._execution = ""
        self._is_foreign = False
        self._snapping: asyncio.Task[SnapshotEvent | None] | None = None
        self._recalling: asyncio.Task[list[Event]] | None = None
        self._looked = time.monotonic()
        self._pause = FIRST_LOOK
        self._length = 0

    async def events(self) -> AsyncGenerator[Event]:
        """Ends after the result of the run."""
        self._execution = (await describe(self._run.client, self._run.id)).workflow_execution_info.first_run_id
        ending = asyncio.create_task(self._ended())
        try:
            async with self._transport.follow(self._run.id, self._place.stream) as cursor:
                async for event in self._followed(cursor, ending):
                    yield event.model_copy(update={"id": self._place.id})
                    if isinstance(event, ResultEvent) and event.turn is None:
                        return
        finally:
            for task in filter(None, (ending, self._snapping, self._recalling)):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _followed(self, cursor: Cursor, ending: asyncio.Task[ResultEvent]) -> AsyncIterator[Event]:
        """What the stream tells. Where it is silent, what the workflow answers, if the stream stays silent after that:
        it is told in order there, with what the steps say.
        """
        while True:
            is_over, is_answered = ending.done(), _is_done(self._recalling)
            found = await cursor.read(LAST_WAIT if is_over else WAIT)
            for place, data in found:
                async for event in self._placed(data, place):
                    yield event
            if found:
                self._looked, self._pause = time.monotonic(), FIRST_LOOK
                if self._recalling:
                    self._recalling.cancel()
                    self._recalling = None
                continue
            async for event in self._unheard(is_over=is_over, is_answered=is_answered):
                yield event
            if is_over and is_answered:
                yield ending.result()
                return

    # What the stream tells

    async def _placed(self, data: str, place: str) -> AsyncIterator[Event]:
        """What is to be told when the stream tells `data`: nothing, it alone, or what came before it as well."""
        event = decoded(data)
        if event is None or self._is_of_another(event):
            self._place.stream = place
            return
        if event.attempt is None and event.sequence > self._place.sequence + 1:
            async for each in self._before(event.sequence):
                yield each
        self._place.stream = place
        if event.step is not None and event.attempt is not None:
            for each in self._of_step(event, event.step, event.attempt):
                yield each
        elif event.sequence == 0:  # a gap, or LangGraph's debug event
            yield event
        elif event.sequence > self._place.sequence:
            self._place.sequence = event.sequence
            yield event
            if self._values and event.type in ("update", "result") and (told := await self._snapshot()):
                yield ValuesEvent(run=event.run, sequence=told.sequence, value=told.value, omitted=told.omitted)

    def _of_step(self, event: Event, step: str, attempt: int) -> Iterator[Event]:
        """An attempt that has been overtaken has nothing more to say."""
        last_attempt, last = self._place.steps.get(step, (0, 0))
        if (attempt, event.sequence) <= (last_attempt, last):
            return
        is_known = step in self._place.steps
        self._place.note(step, attempt, event.sequence)
        place = {"run": event.run, "sequence": 0, "step": step, "attempt": attempt}
        if attempt > last_attempt and attempt > 1 and is_known and not isinstance(event, ResetEvent):
            yield ResetEvent(**place)
        missed = event.sequence - 1 - (last if attempt == last_attempt else 0)
        if missed and (is_known or not self._is_back):
            yield GapEvent(**place, missed=missed)
        yield event

    def _is_of_another(self, event: Event) -> bool:
        """A workflow id may have been used before: what that run has told is not this one's."""
        if isinstance(event, RunEvent):
            self._is_foreign = event.execution != self._execution
        return self._is_foreign

    # What it does not tell

    async def _before(self, until: int) -> AsyncIterator[Event]:
        """What comes before event number `until` and is not in the stream: who has heard nothing yet is told the state
        so far, others what the workflow still knows of it.
        """
        if not self._place.sequence and not self._is_back and (late := await self._snapshot()):
            self._place.sequence = late.sequence
            yield late
        for pause in PAUSES:  # the task of the workflow that has told them may not be over yet
            if self._place.sequence >= until - 1:
                return
            async for event in self._recalled(await self._page(), until):
                yield event
            await asyncio.sleep(pause if self._place.sequence < until - 1 else 0)
        if self._place.sequence < until - 1:
            yield self._gap(until)

    async def _unheard(self, *, is_over: bool, is_answered: bool) -> AsyncIterator[Event]:
        async for event in self._late():
            yield event
        if is_answered and self._recalling:
            async for event in self._recalled(self._recalling.result()):
                yield event
            self._recalling = None
        elif self._recalling is None and (is_over or await self._went_on_unheard()):
            self._recalling = asyncio.create_task(self._page())

    async def _late(self) -> AsyncIterator[Event]:
        """The state so far, where the stream has told nothing yet."""
        if self._place.sequence or self._is_back:
            return
        if self._snapping is None:
            self._snapping = asyncio.create_task(self._snapshot())
        elif self._snapping.done() and (told := self._snapping.result()):
            self._place.sequence = told.sequence
            yield told

    async def _recalled(self, page: list[Event], until: int | None = None) -> AsyncIterator[Event]:
        while page:
            for event in page:
                if until is not None and event.sequence >= until:
                    return
                if event.sequence > self._place.sequence + 1:
                    yield self._gap(event.sequence)
                self._place.sequence = event.sequence
                yield event
            page = await self._page()

    def _gap(self, until: int) -> GapEvent:
        missed = until - self._place.sequence - 1
        self._place.sequence = until - 1
        return GapEvent(run=self._run.id, sequence=0, missed=missed)

    async def _page(self) -> list[Event]:
        page = await self._query("events", self._place.sequence) or {"events": []}
        events = [decoded(json.dumps(event)) for event in page["events"]]
        return [event for event in events if event is not None and event.sequence > self._place.sequence]

    async def _snapshot(self) -> SnapshotEvent | None:
        told = await self._query("snapshot")
        event = decoded(json.dumps(told)) if told else None
        return event if isinstance(event, SnapshotEvent) else None

    async def _query(self, name: str, *args: Any) -> Any:
        """`None` where no worker answers at the moment, or one that knows no such query."""
        handle = self._run.client.get_workflow_handle(self._run.id)
        try:
            return await handle.query(name, args=args, rpc_timeout=QUERY_TIMEOUT)
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            return None

    async def _went_on_unheard(self) -> bool:
        """Whether the history has grown since the last look."""
        if time.monotonic() < self._looked + self._pause:
            return False
        self._looked, self._pause = time.monotonic(), min(self._pause * 2, LAST_LOOK)
        with suppress(RPCError):
            info = (await describe(self._run.client, self._run.id)).workflow_execution_info
            before, self._length = self._length, info.history_length
            return before != self._length
        return False

    async def _ended(self) -> ResultEvent:
        """Waits for the end, which Temporal tells also where no worker could."""
        fields: dict[str, Any] = {"run": self._run.id, "sequence": 0, "execution": self._execution}
        try:
            if self._run.kind != AGENT_WORKFLOW:  # a thread, whose turns have had results of their own
                return ResultEvent(**fields, status="completed", output=await self._run.returned())
            result = await self._run.result()
        except RunFailed as error:
            return ResultEvent(**fields, status=_STATUS.get(error.type, "failed"), error=str(error))
        except PayloadMissing as error:
            return ResultEvent(**fields, status="completed", error=str(error))
        return ResultEvent(**fields, status="completed", output=result.output, citations=result.citations)
