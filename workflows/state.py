"""The state of a run, as its queries tell it: plain JSON. Runs in workflows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from activities.events import encoded
from agents.exchange import plain

if TYPE_CHECKING:
    from langgraph.types import StateSnapshot

    from workflows.contracts import Question
    from workflows.run import Run


class PendingTask(BaseModel):
    """A node that is about to run, is at work, or waits: `interrupts` are the ids of its questions."""

    model_config = ConfigDict(frozen=True)

    id: str
    node: str
    interrupts: list[str] = []


class CheckpointSummary(BaseModel):
    """`source` is LangGraph's: "input", "loop", "update" or "fork"; `step` is counted from -1."""

    model_config = ConfigDict(frozen=True)

    checkpoint: str
    step: int
    source: str
    created_at: str | None = None
    next: list[str] = []


class RunState(CheckpointSummary):
    """The newest checkpoint of a run's graph, with its values."""

    values: Any
    tasks: list[PendingTask] = []


class StateHistory(BaseModel):
    """The checkpoints of a run's graph that are kept, the newest first, and how many are not."""

    model_config = ConfigDict(frozen=True)

    checkpoints: list[CheckpointSummary] = []
    pruned: int = 0
    note: str = ""


def state_of(run: Run) -> RunState | None:
    """None until the first checkpoint is there."""
    snapshot = run.graph.get_state(run.config)
    if snapshot.metadata is None:
        return None
    tasks = [
        PendingTask(id=task.id, node=task.name, interrupts=[interrupt.id for interrupt in task.interrupts])
        for task in snapshot.tasks
    ]
    return RunState(**_summary(snapshot), values=plain(snapshot.values, "state"), tasks=tasks)


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


def history_of(run: Run) -> StateHistory:
    kept = [CheckpointSummary(**_summary(snapshot)) for snapshot in run.graph.get_state_history(run.config)]
    return StateHistory(
        checkpoints=kept, pruned=run.saver.pruned(run.config["configurable"]["thread_id"]), note=_note(run)
    )


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
    when = "where the run stopped" if run.agent.durability == "exit" else "after each superstep"
    return (
        f"A checkpoint is made {when}, the last {run.saver.keep} are kept, and a new execution takes over the newest. "
        'More: Agent(..., checkpoints=…, durability="sync").'
    )
