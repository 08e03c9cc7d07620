"""What the history of a run says, over all its executions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

from tests.chaos.clients import Run
from tests.chaos.ledger import Entry

ENDS = ("completed", "failed", "timed_out", "canceled")


@dataclass
class Step:
    """`scheduled` is in seconds, `began` and `ended` are places in the history. `gave` is what it gave, as JSON."""

    name: str
    key: str
    scheduled: float
    began: int
    ended: int | None = None
    gave: Any = None

    @property
    def is_call(self) -> bool:
        """Of a tool: neither its compensation nor a look-up, which have its key as well."""
        return bool(self.key) and "." not in self.name


@dataclass
class Story:
    """Times are seconds of the server's clock. `seen` is when the run's own code took up its cancellation."""

    run: Run
    status: str
    histories: list[WorkflowHistory]
    entries: list[Entry]
    """What its tools and nodes noted."""
    steps: list[Step] = field(default_factory=list)
    cancelled: float | None = None
    seen: int | None = None
    ended: float = 0.0
    failure: Any = None
    broken_tasks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        place = 0
        for history in self.histories:
            open_steps: dict[int, Step] = {}
            for event in history.events:
                place += 1
                self._read(place, event, open_steps)
        last = self.histories[-1].events[-1]
        self.ended = _time(last)
        if last.HasField("workflow_execution_failed_event_attributes"):
            self.failure = last.workflow_execution_failed_event_attributes.failure

    def _read(self, place: int, event: HistoryEvent, open_steps: dict[int, Step]) -> None:
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled = event.activity_task_scheduled_event_attributes
            step = Step(scheduled.activity_type.name, _key(scheduled.input.payloads), _time(event), place)
            open_steps[event.event_id] = step
            self.steps.append(step)
        for end in ENDS:
            if event.HasField(name := f"activity_task_{end}_event_attributes"):  # type: ignore[arg-type]
                step = open_steps[getattr(event, name).scheduled_event_id]
                step.ended = place
                if end == "completed":
                    step.gave = json.loads(event.activity_task_completed_event_attributes.result.payloads[0].data)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
            self.cancelled = self.cancelled or _time(event)
        if event.HasField("workflow_task_completed_event_attributes") and self.cancelled:
            self.seen = self.seen or place
        if event.HasField("workflow_task_failed_event_attributes"):
            self.broken_tasks.append(event.workflow_task_failed_event_attributes.failure.message)

    @property
    def calls(self) -> Iterator[Step]:
        return (step for step in self.steps if step.is_call)


def _time(event: HistoryEvent) -> float:
    return event.event_time.seconds + event.event_time.nanos / 1e9


def _key(payloads: Any) -> str:
    """Of the call that a step is of, or belongs to."""
    given = json.loads(payloads[0].data) if payloads else None
    return str(given.get("key") or "") if isinstance(given, dict) else ""


async def told(client: Client, run: Run, entries: list[Entry]) -> Story:
    described = await client.get_workflow_handle(run.id).describe()
    histories: list[WorkflowHistory] = []
    execution = run.first_execution
    while execution:
        histories.append(await client.get_workflow_handle(run.id, run_id=execution).fetch_history())
        last = histories[-1].events[-1]
        execution = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    status = described.status.name.lower() if described.status else ""
    return Story(run, status, histories, [entry for entry in entries if entry.run == run.id])
