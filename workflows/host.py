"""What a workflow that hosts a run answers to: queries about it, and the update that answers its questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.errors import GraphDrained
from langgraph.types import Command, Interrupt
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.sizes import packed
from activities.transcript import TRANSCRIPT_QUERY, TranscriptPart
from agents.errors import InvalidInput
from agents.exchange import plain
from workflows.answers import refuse_malformed, take_answer
from workflows.checkpoints import WorkflowSaver
from workflows.continuation import HistoryControl, continue_run, history_is_long, refuse_endless
from workflows.contracts import Question, Usage
from workflows.events import EventPage
from workflows.graph import GRAPHS, run_graph, with_saver
from workflows.run import Run
from workflows.state import RunState, StateHistory, history_of, snapshot_of, state_of

if TYPE_CHECKING:
    from workflows.contracts import AgentInput


class RunHost:
    """The part that workflows share which run an agent's graph; each has an entry point of its own."""

    def __init__(self) -> None:
        self.current: Run | None = None
        self._questions: dict[str, Question] = {}
        self._answers: dict[str, Any] = {}

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
        return list(self._questions.values())

    @workflow.query
    def events(self, after: int = 0) -> EventPage:
        """What the run has told its watchers after event number `after`, as far as it still knows."""
        return self.current.events.page(after) if self.current else EventPage()

    @workflow.query
    def snapshot(self) -> dict[str, Any] | None:
        """The state so far as an event, for watchers who come late."""
        if self.current is None:
            return None
        return snapshot_of(self.current, list(self._questions.values()))

    @workflow.query
    def state(self) -> RunState | None:
        """The run's state as of its last checkpoint, the nodes that come next, and the tasks that are pending."""
        state = state_of(self.current) if self.current else None
        packed(state, "The state of the run", workflow.payload_converter())
        return state

    @workflow.query
    def state_history(self) -> StateHistory:
        """The checkpoints that the run keeps, and how many it no longer has."""
        return history_of(self.current) if self.current else StateHistory()

    @workflow.update
    def answer(self, identifier: str, value: Any) -> None:
        """Resumes the interrupt `identifier` with `value`."""
        self._answers[identifier] = value
        del self._questions[identifier]

    @answer.validator
    def _refuse_unfit(self, identifier: str, value: Any) -> None:
        if identifier not in self._questions:
            waiting = ", ".join(map(repr, self._questions)) or "none"
            raise ApplicationError(
                f"No question {identifier!r} waits for an answer. Waiting: {waiting}.", type=InvalidInput.__name__
            )
        if self.current and (call := self.current.calls.asking(identifier)) and call.question:
            try:
                refuse_malformed(call.question, value)
            except InvalidInput as error:
                raise ApplicationError(str(error), type=InvalidInput.__name__) from None

    async def _run_to_end(self, run: Run, given: Any) -> Any:
        """The graph's state at its end, with all that it asked on the way answered."""
        state = await _invoke(run, given)
        while asked := _interrupts(state):
            self._ask(asked)
            await workflow.wait_condition(lambda: not self._questions)
            answers = self._for_the_graph(run)
            if history_is_long():
                await run.calls.finished()
                continue_run(run, answers=answers)
            state = await _invoke(run, Command(resume=answers))
        return state

    def _for_the_graph(self, run: Run) -> dict[str, Any]:
        """The answers without those to questions of tool calls, which go to the call that asked: LangGraph gives a
        task's answers to whoever asks first when it runs again, be it another call.
        """
        left = {}
        for identifier, answer in self._answers.items():
            if call := run.calls.asking(identifier):
                take_answer(run, call, answer)
            else:
                left[identifier] = answer
        return left

    def _ask(self, asked: list[Interrupt]) -> None:
        """Lets lists of runs show who waits, by memo. The memo is a command, too: without one in this task, a worker
        that has lost the run would be handed the answer before it has replayed the question.
        """
        questions = [Question(id=interrupt.id, value=plain(interrupt.value, "question")) for interrupt in asked]
        packed(questions, "What the run asks", workflow.payload_converter())
        self._questions = {question.id: question for question in questions}
        self._answers = {}
        workflow.upsert_memo({"questions": list(self._questions)})
        if self.current:
            for question in questions:
                self.current.events.tell("interrupt", interrupt=question.id, value=question.value)


def open_run(request: AgentInput) -> Run:
    """The run of the agent that `request` names. Raises `UnknownAgent`."""
    graphs = GRAPHS.get()
    agent = graphs.registry[request.agent]
    saver = WorkflowSaver(keep=agent.checkpoints)
    return Run(agent, request, with_saver(graphs.compiled[agent.name], saver), saver)


async def _invoke(run: Run, given: Any) -> Any:
    """The graph's state at its end or its interrupts. `None` goes on where the execution before this one stopped."""
    if given is not None:
        run.saver.start_counting()
    run.calls.invocations += 1
    try:
        state = await run_graph(run, given, HistoryControl())
    except GraphDrained:
        refuse_endless(run)
        await run.calls.finished()
        run.calls.forget(run.saver.living())
        continue_run(run)
    run.calls.forget(run.saver.living())
    return state


def _interrupts(state: Any) -> list[Interrupt]:
    return list(state.get("__interrupt__", [])) if isinstance(state, dict) else []
