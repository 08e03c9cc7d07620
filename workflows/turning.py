"""TurnHost: takes the turns of a thread one after the other, whatever comes between. Runs in workflows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Never

import structlog
from langgraph.errors import GraphDrained
from temporalio import workflow

from agents.errors import InvalidInput, ValueTooLarge
from agents.exchange import graph_input
from workflows.book import TurnBook
from workflows.compaction import compacted
from workflows.continuation import HistoryControl, handed_over, history_is_long, packed_places
from workflows.contracts import Usage
from workflows.ending import Ended, conclude, end_badly
from workflows.failures import LEAVING, Moving
from workflows.graph import GRAPHS
from workflows.host import RunHost
from workflows.settling import messages_of, take_up, was_answered
from workflows.steps import STOP, Stop, shorten
from workflows.turns import EVENTS, QueuedTurn, RunningTurn, ThreadInput, ThreadState

if TYPE_CHECKING:
    from collections.abc import Callable

    from workflows.namespace import Snapshot
    from workflows.run import Run
    from workflows.turns import ArchivedPage


log = structlog.get_logger()


class SteeringControl(HistoryControl):
    """Stops the graph as well where a message waits for the turn that runs."""

    __slots__ = ("_is_wanted",)

    def __init__(self, is_wanted: Callable[[], bool]) -> None:
        super().__init__()
        self._is_wanted = is_wanted

    @property
    def drain_requested(self) -> bool:
        if self._is_wanted():
            raise GraphDrained("steered")
        return super().drain_requested


class TurnHost(RunHost):
    """The part of a thread that is no client's business."""

    def __init__(self) -> None:
        super().__init__()
        self._thread: ThreadInput | None = None
        self._book = TurnBook()
        self._running: RunningTurn | None = None
        self._before: list[Snapshot] | None = None
        """The state before the running turn; `None` where it could not be carried along."""
        self._work: asyncio.Task[Any] | None = None
        self._stop = Stop()
        self._timer: asyncio.Future[None] | None = None
        self._last = 0.0
        """When the last turn was over."""
        self._closing = False
        self._leaving: str | None = None
        """Why updates are to end, although they wait for something."""
        self._pages: list[ArchivedPage] = []
        self._carried_bytes = self._tried_at = 0
        self._has_worked = False
        """Whether this execution has seen the end of a turn."""

    async def _next(self, run: Run) -> QueuedTurn | None:
        """The next turn, however long it takes to come; None where the thread ends."""
        while not self._book.queue:
            if self._closing:
                return None
            if self._should_move():
                await self._move(run)
            elif await self._has_rested():
                return None
        return self._book.queue.popleft()

    async def _has_rested(self) -> bool:
        """Waits for something to do. Whether there was nothing for so long that the thread ends.

        A timer that was started before the last turn is let run out: to cancel it and to start another would take two
        events a turn.
        """
        assert self._thread is not None  # noqa: S101 -- the thread is open
        ends = self._last + self._thread.idle
        if self._timer is None or self._timer.done():
            if workflow.time() >= ends:
                return True
            self._timer = asyncio.ensure_future(workflow.sleep(ends - workflow.time(), summary="idle"))
        timer = self._timer
        await workflow.wait_condition(lambda: bool(self._book.queue) or self._closing or timer.done())
        return False

    def _should_move(self) -> bool:
        """A new execution must be worth what it is handed: so much at least must have come to the history."""
        assert self._thread is not None  # noqa: S101 -- the thread is open
        length, size = workflow.info().get_current_history_length(), workflow.info().get_current_history_size()
        if not self._has_worked and length < EVENTS:
            return False
        return history_is_long() or (length > self._thread.events and size >= 2 * self._carried_bytes)

    async def _take(self, run: Run, queued: QueuedTurn) -> None:
        self._begin(run, queued)
        await self._finish(run, queued)

    def _begin(self, run: Run, queued: QueuedTurn) -> None:
        self._before = [*run.saver.snapshots()]
        self._running = RunningTurn(id=queued.id, usage=run.usage)
        newest = max(run.saver.kept(run.thread), default=None)
        self._book.change([queued.id], status="running", before=newest)

    async def _finish(self, run: Run, given: Any) -> None:
        """Takes the running turn to its end, whatever that is."""
        run.events.turn = self._refuse_idle().id
        self._stop = Stop()
        STOP.set(self._stop)
        self._work = asyncio.ensure_future(self._run_turn(run, given))
        try:
            ended = await conclude(run, self._work, self._stop, self._before)
        except Moving as moving:
            await self._move(run, answers=moving.answers)
            ended = await end_badly(run, moving, self._stop, self._before)  # somebody stopped it in the last moment
        turn = self._refuse_idle().id
        self._end(run, ended)
        if run.agent.compaction and (self._book.queue or not self._closing):
            await self._compact(run, turn)

    async def _run_turn(self, run: Run, given: Any) -> Any:
        if isinstance(given, QueuedTurn):
            is_steering = given.policy == "steer"
            given = {"messages": messages_of(run, given)} if is_steering else graph_input(run.graph, given.input)
        return await self._run_to_end(run, given)

    def _end(self, run: Run, ended: Ended) -> None:
        running = self._refuse_idle()
        left = [turn for turn in running.joined if ended.status == "done" and not was_answered(run, turn)]
        self._book.change([running.id], usage=since(run.usage, running.usage))
        self._book.change(set(self._at_work()) - {turn.id for turn in left}, **ended.told)
        self._book.change([turn.id for turn in left], status="queued", into=None)
        self._book.queue.extendleft(reversed(left))
        run.events.tell("result", **_told(ended))
        run.events.turn = None
        self._running = self._work = self._before = None
        run.questions.withdraw()
        self._last, self._has_worked = workflow.time(), True
        self._book.forget()

    async def _compact(self, run: Run, turn: str) -> None:
        """What goes wrong is told with `turn`, the last one. The conversation stays as it is until after the next."""
        STOP.set(Stop())
        try:
            page = await compacted(run, GRAPHS.get().summarisers[run.agent.name], self._pages)
            self._pages = [*self._pages, page] if page else self._pages
        except LEAVING:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, the thread goes on
            said = f"The conversation was not compacted: {shorten(f'{type(error).__name__}: {error}', 300)}"
            if not workflow.unsafe.is_replaying():
                log.warning("not_compacted", thread=workflow.info().workflow_id, error=str(error))
            if turn in self._book.turns:
                note = self._book[turn].note
                self._book.change([turn], note=f"{note} {said}" if note else said)

    def _at_work(self) -> list[str]:
        return [self._running.id, *(turn.id for turn in self._running.joined)] if self._running else []

    def _refuse_idle(self) -> RunningTurn:
        if self._running is None:
            raise InvalidInput("No turn is at work.")
        return self._running

    def _halt(self, kind: Any) -> None:
        if self._work and not self._stop.kind:
            self._stop.kind = kind
            self._work.cancel()

    async def _dismiss(self, reason: str) -> None:
        """Lets those go who wait for something, so that this execution can end."""
        self._leaving, self.has_begun = reason, True
        await workflow.wait_condition(workflow.all_handlers_finished)

    # What the run's host asks

    def _as_thread(self) -> tuple[ThreadInput | None, list[ArchivedPage]]:
        return self._thread, self._pages

    def _control(self) -> HistoryControl:
        return SteeringControl(self._is_steered)

    def _is_steered(self) -> bool:
        """Whether a message waits, and the graph has come further since it could not be taken up."""
        is_further = workflow.info().get_current_history_length() > self._tried_at
        return is_further and any(queued.policy == "steer" for queued in self._book.queue)

    async def _drained(self, run: Run) -> None:
        if history_is_long():
            await self._continue(run)
        running = self._refuse_idle()
        waiting = [queued for queued in self._book.queue if queued.policy == "steer"]
        self._tried_at = workflow.info().get_current_history_length()
        if waiting and take_up(run, waiting):
            for queued in waiting:
                self._book.queue.remove(queued)
            self._running = running.model_copy(update={"joined": [*running.joined, *waiting]})
            self._book.change([queued.id for queued in waiting], status="running", into=running.id)

    async def _continue(self, run: Run, *, answers: dict[str, Any] | None = None) -> Never:  # noqa: ARG002 -- as the host's
        raise Moving(answers)

    # A new execution

    async def _move(self, run: Run, *, answers: dict[str, Any] | None = None) -> None:
        """Returns where the running turn was stopped in the last moment."""
        await self._dismiss("The thread goes on in a new execution.")
        if self._stop.kind and self._running:
            self._leaving = None
            return
        assert self._thread is not None  # noqa: S101 -- the thread is open
        state = self._state(self._thread, closing=self._closing)
        try:
            payload = handed_over(run, answers=answers, thread=state)
        except ValueTooLarge:
            running = self._running and self._running.model_copy(update={"before": None})
            payload = handed_over(run, answers=answers, thread=state.model_copy(update={"running": running}))
        workflow.continue_as_new(payload)

    def _state(self, thread: ThreadInput, *, closing: bool) -> ThreadState:
        running = self._running
        if running and self.current:
            before = None if self._before is None else packed_places(self._before)
            running = running.model_copy(update={"before": before, "effects": dict(self.current.effects)})
        state = self._book.state(thread, running=running, closing=closing)
        return state.model_copy(update={"pages": self._pages})


def _told(ended: Ended) -> dict[str, Any]:
    """As watchers hear how a turn has ended."""
    status = {"done": "completed", "failed": "failed"}.get(ended.status, "cancelled")
    error = f"{ended.error.type}: {ended.error.message}" if ended.error else ended.note
    return {"status": status, "output": ended.output, "citations": ended.citations, "error": error}


def since(usage: Usage, before: Usage) -> Usage:
    return Usage(**{name: count - getattr(before, name) for name, count in usage.model_dump().items()})
