"""ThreadWorkflow: a conversation of many turns, for as long as somebody goes on with it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities.sizes import packed
from agents.errors import InvalidInput, PerdureError, ThreadBusy, ThreadClosed
from workflows.book import TurnBook
from workflows.compaction import pages_at, summary_id
from workflows.continuation import carried_in, handed_over, restore, unpacked_places
from workflows.contracts import AgentInput, explain
from workflows.failures import LEAVING, failing_the_run
from workflows.fork import begin_fork, fork_in, origin_line
from workflows.host import open_run
from workflows.input import NO_INPUT, read_input
from workflows.rewinding import Rewound, go_back, parse_rewind
from workflows.settling import is_message, messages_in
from workflows.steps import shorten
from workflows.turning import TurnHost, since
from workflows.turns import THREAD_WORKFLOW, Conversation, ThreadInput, ThreadResult, Turn, TurnInput, Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workflows.continuation import Carried
    from workflows.fork import Fork
    from workflows.run import Run

EXAMPLE = '{"agent": "research"}'
FORKED = "forked"
"""The id of the turn in which a fork of a thread goes on from where the other was."""

TURN_EXAMPLE = '{"input": "How do I set a timer in a workflow?", "wait": true}'


@workflow.defn(name=THREAD_WORKFLOW)
class ThreadWorkflow(TurnHost):
    """Start it with one argument, the JSON of a `ThreadInput`; its id is the thread's. Turns come by update `send`."""

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
        carried, fork = carried_in(request), fork_in(request)
        run = self._reopen(carried) if carried else self._open_fork(fork) if fork else self._open(parse_thread(request))
        self._carried_bytes = len(request.payload.data) if carried else 0
        first = restore(run, carried) if carried else None
        run.events.begin(run.agent.name, continued=carried is not None)
        self.has_begun = True
        if self._running:
            await self._finish(run, first)
        elif fork:
            await self._take_fork(run, fork)
        self._last = workflow.time()
        while queued := await self._next(run):
            await self._take(run, queued)
        await self._dismiss("The thread has ended.")
        return ThreadResult(agent=run.agent.name, turns=self._book.number, usage=run.usage)

    def _open(self, thread: ThreadInput) -> Run:
        shared = thread.model_dump(include={"agent", "recursion_limit", "context", "tenant", "user"})
        run = open_run(AgentInput(input=None, **shared))
        self.current, self._thread = run, thread
        return run

    def _open_fork(self, fork: Fork) -> Run:
        if fork.thread is None:
            raise InvalidInput("What is forked is a run, and not a thread.")
        changed = {"agent": fork.request.agent, "context": fork.request.context}
        self._thread, self._pages = fork.thread.model_copy(update=changed), fork.pages
        run = self.current = open_run(fork.request)
        workflow.set_current_details("\n\n".join(origin_line()))
        return run

    async def _take_fork(self, run: Run, fork: Fork) -> None:
        """What comes after the checkpoint, if something does, is the first turn."""
        given = await begin_fork(run, fork)
        if given is None and not run.graph.get_state(run.config_at(run.at)).next:
            run.at = {}
            return
        self._book.add(FORKED, None, "enqueue")
        self._begin(run, self._book.queue.pop())
        await self._finish(run, given)

    def _reopen(self, carried: Carried) -> Run:
        state = carried.thread
        if state is None:
            raise InvalidInput("What was handed over belongs to a run, and not to a thread.")
        run = self.current = open_run(carried.request)
        self._thread, self._book, self._closing = state.thread, TurnBook(state), state.closing
        self._pages = state.pages
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
    async def rewind(self, request: RawValue = NO_INPUT) -> Rewound:
        """Goes back to before a turn, or to a checkpoint between two: the JSON of a `RewindInput`."""
        with _refusing():
            await self._is_open()
            self._refuse_busy()
            assert self.current is not None  # noqa: S101 -- the thread is open
            rewound = go_back(self.current, self._book, parse_rewind(request))
            self._pages = pages_at(self._pages, rewound.checkpoint or "")
            return rewound

    @rewind.validator
    def _refuse_rewind(self, request: RawValue = NO_INPUT) -> None:
        with _refusing():
            parse_rewind(request)
            self._refuse_busy()

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
    def messages(self) -> Conversation:
        """The conversation, and where that is kept which is no longer in the graph's state."""
        messages = messages_in(self.current) if self.current else []
        found = Conversation(messages=messages, summary=summary_id(len(self._pages)), pages=self._pages)
        packed(found, "The conversation", workflow.payload_converter())
        return found

    @workflow.query
    def handover(self) -> RawValue | None:
        """Of a thread that has ended: what starts an execution that goes on with the conversation."""
        if self.current is None or self._thread is None:
            return None
        return handed_over(self.current, thread=self._state(self._thread, closing=False))

    def _refuse(self, given: TurnInput, identifier: str) -> None:
        if self._thread is None:
            return
        for name in ("agent", "tenant", "user"):
            wanted, own = getattr(given, name), getattr(self._thread, name)
            if wanted not in {None, own}:
                raise InvalidInput(f"The thread's {name} is {own!r}, and not {wanted!r}.")
        if self._book.knows(identifier):
            return
        if self._closing:
            raise ThreadClosed("The thread was closed. It takes no more turns.")
        if (given.policy or self._thread.policy) == "reject" and (self._running or self._book.queue):
            raise ThreadBusy("A turn is at work, and the policy is to reject others meanwhile.")
        self._book.refuse_full()

    def _refuse_busy(self) -> None:
        if self._running or self._book.queue:
            raise ThreadBusy("A turn is at work. Interrupt it, or wait for its end, and rewind the thread then.")

    def _accept(self, given: TurnInput, identifier: str) -> None:
        assert self._thread is not None  # noqa: S101 -- the thread is open
        policy = given.policy or self._thread.policy
        if policy == "steer" and not (self.current and is_message(self.current, given.input)):
            policy = "enqueue"
        self._book.add(identifier, given.input, policy)
        if policy in {"interrupt", "rollback"}:
            self._halt(policy)

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
        if turn.status == "running" and self._is_asking():
            turn = turn.model_copy(update={"status": "asking"})
        if self._running and self.current and identifier == self._running.id:
            turn = turn.model_copy(update={"usage": since(self.current.usage, self._running.usage)})
        return turn


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
