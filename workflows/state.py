"""The state of a run, as its queries tell it: plain JSON. Runs in workflows."""

from __future__ import annotations

import json
import operator
from itertools import islice
from typing import TYPE_CHECKING, Any

from langgraph.types import StateSnapshot
from pydantic import BaseModel, ConfigDict, Field
from temporalio import workflow

from activities.events import encoded
from agents.errors import CheckpointPruned
from agents.exchange import plain
from workflows.journal import Superstep

if TYPE_CHECKING:
    from workflows.contracts import Question
    from workflows.run import Run

FORKED_FROM = "forked_from"
"""The memo that says so."""

MOST_TOLD = 100
"""Supersteps that a history tells unasked."""

MOST_NAMED = 5
"""Checkpoints that an error names."""


class Origin(BaseModel):
    """Where a run comes from that is a fork of another."""

    model_config = ConfigDict(frozen=True)

    run: str
    checkpoint: str


class PendingTask(BaseModel):
    """A node that is about to run, is at work, or waits: `interrupts` are the ids of its questions.

    `values` is the state of the subgraph that it runs, where it has stopped in one.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    node: str
    interrupts: list[str] = []
    values: Any = Field(default=None, exclude_if=operator.not_)


class CheckpointSummary(BaseModel):
    """`source` is LangGraph's: "input", "loop", "update" or "fork"; `step` is counted from -1."""

    model_config = ConfigDict(frozen=True)

    checkpoint: str
    step: int
    source: str
    created_at: str | None = None
    next: list[str] = []


class RunState(CheckpointSummary):
    """A checkpoint of a run's graph, with its values."""

    values: Any
    tasks: list[PendingTask] = []
    forked_from: Origin | None = Field(default=None, exclude_if=operator.not_)


class StateHistory(BaseModel):
    """The checkpoints of a run's graph that are kept, the newest first, and how many are not; and the supersteps, with
    what they did and cost, the newest first, and how many came before those.
    """

    model_config = ConfigDict(frozen=True)

    checkpoints: list[CheckpointSummary] = []
    pruned: int = 0
    supersteps: list[Superstep] = []
    earlier: int = 0
    note: str = ""
    forked_from: Origin | None = Field(default=None, exclude_if=operator.not_)


def state_of(run: Run, checkpoint: str | None = None) -> RunState | None:
    """None until the first checkpoint is there. Raises `CheckpointPruned` for one that is not kept."""
    at = {"checkpoint_id": resolved(run, checkpoint)} if checkpoint else {}
    snapshot = run.graph.get_state(run.config_at(at), subgraphs=True)
    if snapshot.metadata is None:
        return None
    tasks = [
        PendingTask(
            id=task.id,
            node=task.name,
            interrupts=[interrupt.id for interrupt in task.interrupts],
            values=plain(task.state.values, "state") if isinstance(task.state, StateSnapshot) else None,
        )
        for task in snapshot.tasks
    ]
    return RunState(**_summary(snapshot), values=plain(snapshot.values, "state"), tasks=tasks, forked_from=origin())


def snapshot_of(run: Run, questions: list[Question]) -> dict[str, Any]:
    """The newest values that the graph has streamed, where there are any, with what is asked and what it has cost."""
    values = run.events.values
    if values is None:
        values = run.graph.get_state(run.config).values
    event = encoded(
        run.config["configurable"]["thread_id"],
        "snapshot",
        run.events.sequence,
        agent=run.agent.name,
        value=values,
        interrupts=[question.model_dump() for question in questions],
        usage=run.usage.model_dump(),
    )
    told: dict[str, Any] = json.loads(event)
    return told


def history_of(run: Run, most: int = MOST_TOLD) -> StateHistory:
    kept = [CheckpointSummary(**_summary(snapshot)) for snapshot in run.graph.get_state_history(run.config)]
    supersteps = run.journal.supersteps({each.checkpoint for each in kept})
    return StateHistory(
        checkpoints=kept,
        pruned=run.saver.pruned(run.thread),
        supersteps=[*islice(supersteps, most)],
        earlier=run.journal.dropped + sum(1 for _ in supersteps),
        note=_note(run),
        forked_from=origin(),
    )


def resolved(run: Run, checkpoint: str) -> str:
    """`checkpoint` itself, if it is kept."""
    kept = sorted(run.saver.kept(run.thread), reverse=True)
    if checkpoint in kept:
        return checkpoint
    named = ", ".join(kept[:MOST_NAMED]) or "none"
    raise CheckpointPruned(f"Checkpoint {checkpoint!r} is not kept. The newest that are: {named}. {_note(run)}")


def origin() -> Origin | None:
    """Where this run comes from, where it is a fork."""
    told = workflow.memo_value(FORKED_FROM, None)
    return Origin.model_validate(told) if told else None


def _summary(snapshot: StateSnapshot) -> dict[str, Any]:
    metadata = snapshot.metadata or {}
    return {
        "checkpoint": snapshot.config["configurable"]["checkpoint_id"],
        "step": metadata["step"],
        "source": metadata.get("source", "loop"),
        "created_at": snapshot.created_at,
        "next": list(snapshot.next),
    }


def _note(run: Run) -> str:
    when = "where the run stopped" if run.durability == "exit" else "after each superstep"
    return (
        f"A checkpoint is made {when}, the last {run.saver.keep} are kept, and a new execution takes over the newest. "
        'More: Agent(..., checkpoints=…, durability="sync").'
    )
