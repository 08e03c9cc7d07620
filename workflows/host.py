"""What a workflow that hosts a run answers to: queries about it, and the update that answers its questions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Never

from langgraph.errors import GraphDrained, is_invalid_resume
from langgraph.types import Command, Interrupt
from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.once import TOLD, ToldCall
from activities.sizes import packed
from activities.transcript import TRANSCRIPT_QUERY, TranscriptPart
from agents.errors import InvalidInput
from workflows.answers import EXAMPLE, MISSING, Given, approved_digest, read_answer, refuse_unfit, take_answer
from workflows.asking import questions_of
from workflows.checkpoints import WorkflowSaver
from workflows.continuation import HistoryControl, continue_run, history_is_long, refuse_endless
from workflows.contracts import Decision, Question, Usage
from workflows.events import EventPage
from workflows.fork import ForkSource, source_of
from workflows.graph import GRAPHS, run_graph, with_saver
from workflows.questions import Questions
from workflows.run import Run
from workflows.saga import hear
from workflows.state import MOST_TOLD, RunState, StateHistory, history_of, snapshot_of, state_of

if TYPE_CHECKING:
    from langgraph.runtime import RunControl

    from workflows.contracts import AgentInput
    from workflows.turns import ArchivedPage, ThreadInput


class RunHost:
    """The part that workflows share which run an agent's graph; each has an entry point of its own."""

    def __init__(self) -> None:
        self.current: Run | None = None
        self.has_begun = False
        """Whether `current` is there, with all that an earlier execution handed over."""

    @workflow.query(name=TRANSCRIPT_QUERY)
    def transcript(self, digest: str) -> TranscriptPart:
        """What a step was given, for a worker that no longer has it: its last messages, and what comes before them."""
        return self.current.transcript.page(digest) if self.current else TranscriptPart()

    @workflow.query
    def usage(self) -> Usage:
        """What the run has cost so far."""
        return self.current.usage if self.current else Usage()

    @workflow.query
    def questions(self) -> list[Question]:
        """The interrupts that wait for an answer."""
        return list(self.current.questions.waiting.values()) if self.current else []

    @workflow.query
    def decisions(self) -> list[Decision]:
        """Who answered what and when, the last ones."""
        return self.current.questions.decisions if self.current else []

    @workflow.query
    def events(self, after: int = 0) -> EventPage:
        """What the run has told its watchers after event number `after`, as far as it still knows."""
        return self.current.events.page(after) if self.current else EventPage()

    @workflow.query
    def snapshot(self) -> dict[str, Any] | None:
        """The state so far as an event, for watchers who come late."""
        if self.current is None:
            return None
        return snapshot_of(self.current, list(self.current.questions.waiting.values()))

    @workflow.query
    def state(self, checkpoint: str | None = None) -> RunState | None:
        """The run's state as of a checkpoint, its last one unasked; the nodes that come next, the pending tasks."""
        state = state_of(self.current, checkpoint) if self.current else None
        packed(state, "The state of the run", workflow.payload_converter())
        return state

    @workflow.query
    def state_history(self, most: int = MOST_TOLD) -> StateHistory:
        """The checkpoints that the run keeps, and its last supersteps, with what they did and cost."""
        return history_of(self.current, most) if self.current else StateHistory()

    @workflow.query
    def fork_source(self, checkpoint: str | None = None) -> ForkSource | None:
        """What a fork of this run begins with, and what it may do again."""
        source = source_of(self.current, checkpoint, *self._as_thread()) if self.current else None
        packed(source, "The state of the run", workflow.payload_converter())
        return source

    @workflow.update(
        description=f"Answers a question: {EXAMPLE}", unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON
    )
    async def answer(self, identifier: Any, value: Any = MISSING, by: Any = None) -> None:
        """Answers the question `identifier` with `value`, which `by` decided: a name, or a name and its groups. One
        argument may hold them all.
        """
        if not self.has_begun:
            await workflow.wait_condition(lambda: self.has_begun)
        run, question, given = self._fitting(identifier, value, by)
        digest = approved_digest(run, question, given.value)
        run.questions.answer(question, given.value, by=given.by, digest=digest)

    @answer.validator
    def _refuse_unfit(self, identifier: Any, value: Any = MISSING, by: Any = None) -> None:
        """An execution that begins with an answer has not taken over yet what the one before it asked."""
        if self.has_begun:
            self._fitting(identifier, value, by)

    @workflow.signal(name=TOLD)
    def call_in_node(self, told: ToldCall) -> None:
        """A node that is an activity has called a tool that can be undone."""
        if self.current:
            hear(self.current, told)

    def _fitting(self, identifier: Any, value: Any, by: Any) -> tuple[Run, Question, Given]:
        try:
            given = read_answer(identifier, value, by)
            run = self.current
            question = (run.questions if run else Questions()).named(given.id, given.by)
            assert run is not None  # noqa: S101 -- without one, nothing was asked
            refuse_unfit(run, question, given.value)
        except InvalidInput as error:
            raise ApplicationError(str(error), type=InvalidInput.__name__) from None
        return run, question, given

    def _as_thread(self) -> tuple[ThreadInput | None, list[ArchivedPage]]:
        """What began the thread that hosts the run, where one does, and what its conversation no longer has."""
        return None, []

    async def _run_to_end(self, run: Run, given: Any) -> Any:
        """The graph's state at its end, with all that it asked on the way answered."""
        self.has_begun = True
        run.questions.ask_again()
        state = None if run.questions.waiting else await self._invoke(run, given)
        while run.questions.waiting or _asks(run, state):
            answers = await self._answers(run)
            try:
                state = await self._invoke(run, Command(resume=answers))
            except ValidationError as error:
                if not is_invalid_resume(error):
                    raise
                state = {"__interrupt__": run.graph.get_state(run.config).interrupts}
        return state

    def _is_asking(self) -> bool:
        return bool(self.current and self.current.questions.waiting)

    async def _invoke(self, run: Run, given: Any) -> Any:
        """The graph's state at its end or its interrupts. `None` goes on where the graph has stopped."""
        if given is not None:
            run.saver.start_counting()
        while True:
            run.calls.invocations += 1
            try:
                state = await run_graph(run, given, self._control())
            except GraphDrained:
                refuse_endless(run)
                await run.calls.finished()
                run.calls.forget(run.saver.living())
                await self._drained(run)
                given = None
            else:
                run.calls.forget(run.saver.living())
                return state

    def _control(self) -> RunControl:
        """What stops the graph between two supersteps."""
        return HistoryControl()

    async def _drained(self, run: Run) -> None:
        """What comes next once the graph has stopped so. It goes on when this returns."""
        await self._continue(run)

    async def _continue(self, run: Run, *, answers: dict[str, Any] | None = None) -> Never:
        """Goes on in a new execution."""
        continue_run(run, answers=answers)

    async def _answers(self, run: Run) -> dict[str, Any]:
        """Waits for them. Those to questions of tool calls go to the call that asked, the others to the graph:
        LangGraph gives a task's answers to whoever asks first when it runs again, be it another call.
        """
        try:
            is_settled = await run.questions.settled()
        except asyncio.CancelledError:
            run.questions.withdraw()
            raise
        if not is_settled:
            run.questions.hide()
            await run.calls.finished()
            await self._continue(run)
        left, run.questions.answers = run.questions.answers, {}
        for identifier in [*left]:
            if call := run.calls.asking(identifier):
                take_answer(run, call, left.pop(identifier))
        if history_is_long():
            await run.calls.finished()
            await self._continue(run, answers=left)
        return left


def open_run(request: AgentInput) -> Run:
    """The run of the agent that `request` names. Raises `UnknownAgent`."""
    graphs = GRAPHS.get()
    agent = graphs.registry[request.agent]
    saver = WorkflowSaver(keep=agent.checkpoints)
    return Run(agent, request, with_saver(graphs.compiled[agent.name], saver), saver)


def _asks(run: Run, state: Any) -> bool:
    """Whether the graph stopped to ask. Then its questions wait from now on."""
    asked: list[Interrupt[Any]] = list(state.get("__interrupt__", [])) if isinstance(state, dict) else []
    if asked:
        questions = questions_of(run, asked)
        run.questions.ask(questions)
        for question in questions:
            run.events.tell("interrupt", interrupt=question.id, value=question.value)
    return bool(asked)
