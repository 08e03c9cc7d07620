"""How a run goes on in a new execution before its history is full. Runs in workflows.

The graph stops between two supersteps, at every depth; its checkpoints become the argument of the next execution, which
takes it up there. Ids, pending answers and what the run has cost go along.
"""

from __future__ import annotations

import gc
import operator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Never

from langchain_core.messages import BaseMessage
from langgraph.errors import GraphDrained, GraphRecursionError
from langgraph.runtime import RunControl
from langgraph.types import Command
from pydantic import BaseModel, ConfigDict, Field
from temporalio import workflow
from temporalio.common import RawValue

from activities.node import graph_types
from activities.sizes import packed
from activities.wire import decode, encode
from workflows.calls import Call, Calls
from workflows.contracts import AgentInput, Usage
from workflows.namespace import Snapshot
from workflows.questions import Questions
from workflows.saga import Undoing
from workflows.steps import unpacked
from workflows.transcript import CarriedTranscripts
from workflows.turns import ThreadState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workflows.run import Run

MARK = "perdure"
"""The metadata of a payload that one execution hands to the next, with the agent's name: no client's input is taken for
one, and who wants the name alone need not read megabytes."""

FORK = "perdure-fork"
"""The metadata of a payload that begins a fork of another run, beside `MARK`."""

WHAT = "The state of the run, which goes on in a new execution,"


class Carried(BaseModel):
    """`places`, `asked` and `answers` are encoded. `limits` says at which step each namespace began to count."""

    model_config = ConfigDict(frozen=True)

    request: AgentInput
    places: list[Any]
    limits: list[tuple[str, int]]
    asked: Any
    answers: Any
    usage: Usage
    transcripts: CarriedTranscripts
    told: int = Field(default=0, exclude_if=operator.not_)
    calls: dict[str, list[Call]] = Field(default={}, exclude_if=operator.not_)
    undoings: dict[str, Undoing] = Field(default={}, exclude_if=operator.not_)
    questions: Questions = Questions()
    thread: ThreadState | None = Field(default=None, exclude_if=operator.not_)


class HistoryControl(RunControl):
    """Stops a graph and its subgraphs at their next superstep once the server suggests to continue as new.

    LangGraph asks at the start of each. Returning true would leave a subgraph's checkpoint unsaved; an exception from
    there saves all of them, and lets what runs beside it finish.
    """

    __slots__ = ()

    @property
    def drain_requested(self) -> bool:
        if history_is_long():
            raise GraphDrained("history")
        return False


def history_is_long() -> bool:
    return workflow.info().is_continue_as_new_suggested()


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """While many objects are made, the collector looks for garbage again and again: two thirds of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def continue_run(run: Run, *, answers: dict[str, Any] | None = None) -> Never:
    """Ends this execution; the next one resumes with `answers`. Raises `UnsupportedValue` or `ValueTooLarge`."""
    workflow.continue_as_new(handed_over(run, answers=answers))


@collector_at_rest()
def handed_over(run: Run, *, answers: dict[str, Any] | None = None, thread: ThreadState | None = None) -> RawValue:
    """The argument of an execution that goes on where this one is."""
    snapshots = [*run.saver.snapshots()]
    carried = Carried(
        request=run.request.model_copy(update={"input": None}),
        places=packed_places(snapshots),
        limits=[(namespace, step) for (_, namespace), step in run.saver.limits.items()],
        asked=encode({call: questions for call, questions in run.asked.items() if questions}, path="asked"),
        answers=encode(answers, path="answers"),
        usage=run.usage,
        transcripts=run.transcript.carried(_conversations(snapshots)),
        told=run.events.sequence,
        calls=run.calls.carried(),
        undoings=run.undoings,
        questions=run.questions,
        thread=thread,
    )
    payload = packed(carried, WHAT, workflow.payload_converter()).payload
    payload.metadata[MARK] = run.agent.name.encode()
    return RawValue(payload)


@collector_at_rest()
def carried_in(raw: RawValue) -> Carried | None:
    """What the execution before this one handed over, if there was one."""
    if MARK not in raw.payload.metadata or FORK in raw.payload.metadata:
        return None
    return unpacked(raw, WHAT, Carried)


@collector_at_rest()
def restore(run: Run, carried: Carried) -> Command[Any] | None:
    """Makes `run` what it was. Returns what its graph goes on with."""
    types = graph_types(run.agent, run.graph, ())
    snapshots = unpacked_places(run, carried.places)
    thread = workflow.info().workflow_id
    run.saver.restore(snapshots)
    run.saver.limits = {(thread, namespace): step for namespace, step in carried.limits}
    run.events.sequence = carried.told
    run.usage, run.asked = carried.usage, decode(carried.asked, types)
    run.calls, run.undoings = Calls(carried.calls), dict(carried.undoings)
    run.questions = carried.questions
    run.transcript.restore(_conversations(snapshots), carried.transcripts)
    return None if carried.answers is None else Command(resume=decode(carried.answers, types))


def packed_places(snapshots: Iterable[Snapshot]) -> list[Any]:
    return [encode([*snapshot], path="state") for snapshot in snapshots]


def unpacked_places(run: Run, places: Iterable[Any]) -> list[Snapshot]:
    types = graph_types(run.agent, run.graph, ())
    return [Snapshot(*decode(place, types)) for place in places]


def refuse_endless(run: Run) -> None:
    """LangGraph counts the steps of one execution, and so would never see the end of a loop that is continued."""
    limit = run.config["recursion_limit"]
    for (_, namespace), steps in run.saver.steps_since_start().items():
        if steps > limit:
            raise GraphRecursionError(
                f"Recursion limit of {limit} reached without hitting a stop condition"
                + (f" in {namespace.rpartition('|')[2].partition(':')[0]!r}." if namespace else ".")
                + " You can increase the limit by `recursion_limit`."
            )


def _conversations(snapshots: list[Snapshot]) -> list[list[BaseMessage]]:
    """The lists of messages in the state, in an order that both executions find."""
    return [
        value
        for snapshot in snapshots
        for value in snapshot.values.values()
        if isinstance(value, list) and value and all(isinstance(item, BaseMessage) for item in value)
    ]
