"""ThreadWorkflow: a conversation of many turns, for as long as somebody goes on with it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Never

from langgraph.errors import GraphDrained
from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from agents.errors import InvalidInput, PerdureError, ThreadBusy, ThreadClosed, ValueTooLarge
from agents.exchange import graph_input
from workflows.book import TurnBook
from workflows.continuation import (
    HistoryControl,
    carried_in,
    handed_over,
    history_is_long,
    packed_places,
    restore,
    unpacked_places,
)
from workflows.contracts import AgentInput, Usage, explain
from workflows.ending import Ended, conclude, end_badly
from workflows.failures import LEAVING, Moving, failing_the_run
from workflows.host import RunHost, open_run
from workflows.input import NO_INPUT, read_input
from workflows.settling import is_message, messages_of, take_up, was_answered
from workflows.steps import STOP, Stop, shorten
from workflows.turns import (
    EVENTS,
    THREAD_WORKFLOW,
    QueuedTurn,
    RunningTurn,
    ThreadInput,
    ThreadResult,
    ThreadState,
    Turn,
    TurnInput,
    Turns,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workflows.continuation import Carried
    from workflows.namespace import Snapshot
    from workflows.run import Run

EXAMPLE = '{"agent": "research"}'
TURN_EXAMPLE = '{"input": "How do I set a timer in a workflow?", "wait": true}'


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


@workflow.defn(name=THREAD_WORKFLOW)
class ThreadWorkflow(RunHost):
    """Start it with one argument, the JSON of a `ThreadInput`; its id is the thread's. Turns come by update `send`."""

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
        self._carried_bytes = self._tried_at = 0
        self._has_worked = False
        """Whether this execution has seen the end of a turn."""

    @workflow.run
    async def run(self, request: RawValue = NO_INPUT) -> ThreadResult:
        with failing_the_run():
            try:
                return await self._live(request)
            except LEAVING:
                raise
            except BaseException as error:
                self._book.change(self._at_work(), status="interrupted")
                await self._dismiss(shorten(str(error), 300) or type(error).__name__)
                raise

    async def _live(self, request: RawValue) -> ThreadResult:
        carried = carried_in(request)
        run = self._reopen(carried) if carried else self._open(parse_thread(request))
        self._carried_bytes = len(request.payload.data) if carried else 0
        first = restore(run, carried) if carried else None
        self.has_begun = True
        if self._running:
            await self._finish(run, first)
        self._last = workflow.time()
        while queued := await self._next(run):
            await self._take(run, queued)
        await self._dismiss("The thread has ended.")
        return ThreadResult(agent=run.agent.name, turns=self._book.number, usage=run.usage)

    def _open(self, thread: ThreadInput) -> Run:
        limit, context = thread.recursion_limit, thread.context
        run = open_run(AgentInput(agent=thread.agent, input=None, recursion_limit=limit, context=context))
        self.current, self._thread = run, thread
        return run

    def _reopen(self, carried: Carried) -> Run:
        state = carried.thread
        if state is None:
            raise InvalidInput("What was handed over belongs to a run, and not to a thread.")
        run = self.current = open_run(carried.request)
        self._thread, self._book, self._closing = state.thread, TurnBook(state), state.closing
        if running := state.running:
            self._running = running
            self._before = None if running.before is None else unpacked_places(run, running.before)
            run.effects.update(running.effects)
        return run

    # What clients ask for

    @workflow.update
    async def send(self, request: RawValue = NO_INPUT) -> Turn:
        """Takes a turn, the JSON of a `TurnInput`, and tells what has become of it."""
        with _refusing():
            await self._is_open()
            given = parse_turn(request)
            identifier = given.id or _update_id()
            self._refuse(given, identifier)
            if not self._book.knows(identifier):
                self._accept(given, identifier)
            return await self._told(identifier, wait=given.wait)

    @send.validator
    def _refuse_unfit_turn(self, request: RawValue = NO_INPUT) -> None:
        with _refusing():
            given = parse_turn(request)
            self._refuse(given, given.id or _update_id())

    @workflow.update
    async def wait(self, turn: str) -> Turn:
        """Returns when the turn is over, or when the thread goes on in a new execution: ask again then."""
        with _refusing():
            await self._is_open()
            return await self._told(turn, wait=True)

    @workflow.update
    async def interrupt(self) -> Turn:
        """Stops the turn that runs. What it did stays, in the world and in the conversation."""
        with _refusing():
            await self._is_open()
            running = self._refuse_idle()
            self._halt("interrupt")
            return await self._told(running.id, wait=True)

    @interrupt.validator
    def _refuse_interrupt(self) -> None:
        with _refusing():
            if self._thread:
                self._refuse_idle()

    @workflow.update
    async def close(self) -> None:
        """Takes no more turns. The thread ends when those are over that it has."""
        with _refusing():
            await self._is_open()
            self._closing = True

    @workflow.query
    def turns(self) -> Turns:
        """Those that are kept, the newest last."""
        return self._book.told(map(self._seen, [*self._book.turns]))

    @workflow.query
    def handover(self) -> RawValue | None:
        """Of a thread that has ended: what starts an execution that goes on with the conversation."""
        if self.current is None or self._thread is None:
            return None
        return handed_over(self.current, thread=self._state(self._thread, closing=False))

    def _refuse(self, given: TurnInput, identifier: str) -> None:
        if self._thread is None or self._book.knows(identifier):
            return
        if given.agent not in {None, self._thread.agent}:
            raise InvalidInput(f"The thread's agent is {self._thread.agent!r}, and not {given.agent!r}.")
        if self._closing:
            raise ThreadClosed("The thread was closed. It takes no more turns.")
        if (given.policy or self._thread.policy) == "reject" and (self._running or self._book.queue):
            raise ThreadBusy("A turn is at work, and the policy is to reject others meanwhile.")
        self._book.refuse_full()

    def _refuse_idle(self) -> RunningTurn:
        if self._running is None:
            raise InvalidInput("No turn is at work.")
        return self._running

    def _accept(self, given: TurnInput, identifier: str) -> None:
        assert self._thread is not None  # noqa: S101 -- the thread is open
        policy = given.policy or self._thread.policy
        if policy == "steer" and not (self.current and is_message(self.current, given.input)):
            policy = "enqueue"
        self._book.add(identifier, given.input, policy)
        if policy in {"interrupt", "rollback"}:
            self._halt(policy)

    def _halt(self, kind: Any) -> None:
        if self._work and not self._stop.kind:
            self._stop.kind = kind
            self._work.cancel()

    async def _is_open(self) -> None:
        """A client's first update comes with the start, and before it."""
        if self._thread is None:
            await workflow.wait_condition(lambda: self._thread is not None or self._leaving is not None)
        if self._thread is None:
            raise InvalidInput(f"The thread did not start: {self._leaving}")

    async def _told(self, identifier: str, *, wait: bool) -> Turn:
        turn = self._book[identifier]
        while wait and not turn.is_over and self._leaving is None:
            await workflow.wait_condition(lambda: self._book[identifier].is_over or self._leaving is not None)
            turn = self._book[identifier]
        return self._seen(identifier)

    def _seen(self, identifier: str) -> Turn:
        turn = self._book[identifier]
        if turn.status == "running" and self.current and self.current.questions.waiting:
            turn = turn.model_copy(update={"status": "asking"})
        if self._running and self.current and identifier == self._running.id:
            turn = turn.model_copy(update={"usage": _since(self.current.usage, self._running.usage)})
        return turn

    async def _dismiss(self, reason: str) -> None:
        """Lets those go who wait for something, so that this execution can end."""
        self._leaving, self.has_begun = reason, True
        await workflow.wait_condition(workflow.all_handlers_finished)

    # Turns

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
        self._before = [*run.saver.snapshots()]
        self._running = RunningTurn(id=queued.id, usage=run.usage)
        self._book.change([queued.id], status="running")
        await self._finish(run, queued)

    async def _finish(self, run: Run, given: Any) -> None:
        """Takes the running turn to its end, whatever that is."""
        self._stop = Stop()
        STOP.set(self._stop)
        self._work = asyncio.ensure_future(self._run_turn(run, given))
        try:
            ended = await conclude(run, self._work, self._stop, self._before)
        except Moving as moving:
            await self._move(run, answers=moving.answers)
            ended = await end_badly(run, moving, self._stop, self._before)  # somebody stopped it in the last moment
        self._end(run, ended)

    async def _run_turn(self, run: Run, given: Any) -> Any:
        if isinstance(given, QueuedTurn):
            is_steering = given.policy == "steer"
            given = {"messages": messages_of(run, given)} if is_steering else graph_input(run.graph, given.input)
        return await self._run_to_end(run, given)

    def _end(self, run: Run, ended: Ended) -> None:
        running = self._refuse_idle()
        left = [turn for turn in running.joined if ended.status == "done" and not was_answered(run, turn)]
        self._book.change([running.id], usage=_since(run.usage, running.usage))
        self._book.change(set(self._at_work()) - {turn.id for turn in left}, **ended.told)
        self._book.change([turn.id for turn in left], status="queued", into=None)
        self._book.queue.extendleft(reversed(left))
        self._running = self._work = self._before = None
        run.questions.withdraw()
        self._last, self._has_worked = workflow.time(), True
        self._book.forget()

    def _at_work(self) -> list[str]:
        return [self._running.id, *(turn.id for turn in self._running.joined)] if self._running else []

    # What the run's host asks

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
        return self._book.state(thread, running=running, closing=closing)


def parse_thread(raw: RawValue) -> ThreadInput:
    try:
        return ThreadInput.model_validate(read_input(raw))
    except ValidationError as error:
        raise InvalidInput(
            f"The input of a thread is off: {explain(error)}. Expected, for example: {EXAMPLE}"
        ) from None


def parse_turn(raw: RawValue) -> TurnInput:
    try:
        given = TurnInput.model_validate(read_input(raw))
    except ValidationError as error:
        raise InvalidInput(f"The turn is off: {explain(error)}. Expected, for example: {TURN_EXAMPLE}") from None
    if given.input is None or (isinstance(given.input, str) and not given.input.strip()):
        raise InvalidInput(f"The turn is empty. Say something: {TURN_EXAMPLE}")
    return given


@contextmanager
def _refusing() -> Iterator[None]:
    """An update is refused by a failure; any other exception would fail the workflow's task."""
    try:
        yield
    except PerdureError as error:
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from None


def _update_id() -> str:
    info = workflow.current_update_info()
    assert info is not None  # noqa: S101 -- in an update there is one
    return info.id


def _since(usage: Usage, before: Usage) -> Usage:
    return Usage(**{name: count - getattr(before, name) for name, count in usage.model_dump().items()})
