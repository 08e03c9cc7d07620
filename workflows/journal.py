"""What each superstep of a run did and cost. Runs in workflows, and tells it to their queries.

A superstep is known by the checkpoint that it ran from: LangGraph gives each an id, whether it is kept or not. The
journal is made again by a replay; it is no record of its own, and adds nothing to the history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.runnables.config import var_child_runnable_config
from pydantic import BaseModel, ConfigDict
from temporalio import workflow

from workflows.contracts import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


MOST_SUPERSTEPS = 1_000
MOST_STEPS = 50
"""Steps of one superstep that are listed; the others are counted."""


class StepTaken(BaseModel):
    """One activity. `seconds` from its start to its end, its retries included; none while it is under way."""

    model_config = ConfigDict(frozen=True)

    activity: str
    summary: str = ""
    seconds: float | None = None
    failed: bool = False


class Superstep(BaseModel):
    """`checkpoint` is the one that it ran from, `step` its number. `can_fork` says whether that is kept."""

    model_config = ConfigDict(frozen=True)

    checkpoint: str
    step: int
    nodes: list[str] = []
    steps: list[StepTaken] = []
    more_steps: int = 0
    usage: Usage = Usage()
    seconds: float | None = None
    """From the start of its first step to the end of its last."""
    can_fork: bool = False


@dataclass(slots=True)
class Noted:
    """A step as it is noted. `ended` is none while it is under way."""

    activity: str
    summary: str
    started: float
    ended: float | None = None
    failed: bool = False

    def end(self, *, failed: bool = False) -> None:
        self.ended, self.failed = workflow.time(), failed

    def taken(self) -> StepTaken:
        seconds = None if self.ended is None else round(self.ended - self.started, 3)
        return StepTaken(activity=self.activity, summary=self.summary, seconds=seconds, failed=self.failed)


@dataclass(slots=True)
class Entry:
    step: int = -1
    nodes: list[str] = field(default_factory=list)
    steps: list[Noted] = field(default_factory=list)
    more: int = 0
    usage: Usage = field(default_factory=Usage)

    @property
    def seconds(self) -> float | None:
        ends = [noted.ended for noted in self.steps if noted.ended is not None]
        return round(max(ends) - min(noted.started for noted in self.steps), 3) if ends else None


class Journal:
    """The last supersteps of a run's own graph; what its subgraphs do counts for the superstep that runs them."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self.dropped = 0

    def planned(self, checkpoint: Mapping[str, Any]) -> None:
        """Takes note of what LangGraph's stream says of a checkpoint: which nodes run from it."""
        if nodes := list(checkpoint["next"]):
            entry = self._entry(checkpoint["config"]["configurable"]["checkpoint_id"])
            entry.step, entry.nodes = checkpoint["metadata"]["step"] + 1, nodes

    def used(self, checkpoint: str, usage: Usage) -> None:
        if checkpoint:
            entry = self._entry(checkpoint)
            entry.usage = entry.usage.plus(usage)

    def begin(self, activity: str, summary: str) -> Noted:
        """Notes a step of the node that is running."""
        noted = Noted(activity, summary, workflow.time())
        if checkpoint := superstep_here():
            entry = self._entry(checkpoint)
            if len(entry.steps) < MOST_STEPS:
                entry.steps.append(noted)
            else:
                entry.more += 1
        return noted

    def supersteps(self, kept: set[str]) -> Iterator[Superstep]:
        """The newest first. `kept` are the checkpoints that are still there."""
        for identifier, entry in sorted(self._entries.items(), reverse=True):
            yield Superstep(
                checkpoint=identifier,
                step=entry.step,
                nodes=entry.nodes,
                steps=[noted.taken() for noted in entry.steps],
                more_steps=entry.more,
                usage=entry.usage,
                seconds=entry.seconds,
                can_fork=identifier in kept,
            )

    def _entry(self, checkpoint: str) -> Entry:
        if checkpoint not in self._entries:
            if len(self._entries) >= MOST_SUPERSTEPS:
                del self._entries[min(self._entries)]
                self.dropped += 1
            self._entries[checkpoint] = Entry()
        return self._entries[checkpoint]


def superstep_here() -> str:
    """The checkpoint of the run's own graph that the calling node runs from; empty outside of nodes."""
    config = var_child_runnable_config.get() or {}
    found: Any = config.get("configurable", {}).get("checkpoint_map", {})
    return str(found.get("", ""))
