"""The steps of a run as its history tells them. Runs in clients."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from temporalio.api.enums.v1 import TimeoutType, WorkflowTaskFailedCause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from temporalio.api.failure.v1 import Failure
    from temporalio.api.history.v1 import HistoryEvent
    from temporalio.api.workflow.v1 import PendingActivityInfo
    from temporalio.converter import DataConverter

WORKFLOW_CODE = "workflow"
"""The name of the step that stands for the workflow's own code, shown only when that fails and is tried again."""

UNSTEADY = (
    "The agent's code has changed since the run began, or does not do the same each time: `perdure check` says where."
)

_LOCAL_ACTIVITY = "core_local_activity"
"""The name of the markers by which Temporal's SDK records local activities."""

StepState = Literal["scheduled", "retrying", "completed", "failed", "cancelled"]

_ENDS: dict[str, StepState] = {
    "activity_task_completed_event_attributes": "completed",
    "activity_task_failed_event_attributes": "failed",
    "activity_task_timed_out_event_attributes": "failed",
    "activity_task_canceled_event_attributes": "cancelled",
}
_SUCCESSORS = frozenset(
    f"workflow_execution_{end}_event_attributes" for end in ("completed", "failed", "timed_out", "continued_as_new")
)
_NON_DETERMINISTIC = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
_BUGS = frozenset(
    {
        _NON_DETERMINISTIC,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """One activity at one moment. `seconds` is how long its last attempt took, known once it is over.

    `id` is the activity's, after the number of the execution where that is not the run's first: `2.17`.
    """

    id: str
    activity: str
    state: StepState
    summary: str = ""
    attempt: int = 1
    seconds: float | None = None
    error: str | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("completed", "failed", "cancelled")


class Ledger:
    """Folds the events of one execution into steps. `next_execution` is the run id that goes on after its end."""

    def __init__(self, converter: DataConverter, *, execution: int = 1) -> None:
        self._prefix = f"{execution}." if execution > 1 else ""
        self.open: dict[int, Step] = {}
        self.next_execution: str | None = None
        self._converter = converter
        self._started: dict[int, datetime] = {}

    async def note_event(self, event: HistoryEvent) -> Step | None:
        """The step that `event` changes, if it changes one."""
        kind = event.WhichOneof("attributes") or ""
        if kind in _SUCCESSORS:
            self.next_execution = getattr(event, kind).new_execution_run_id or None
        if kind in _ENDS:
            return self._end(event, kind)
        match kind:
            case "activity_task_scheduled_event_attributes":
                return await self._schedule(event)
            case "activity_task_started_event_attributes":
                self._start(event)
            case "marker_recorded_event_attributes":
                return await self._local(event)
            case "workflow_task_failed_event_attributes":
                return _failed_task(event)
        return None

    def note_attempts(self, pending: Iterable[PendingActivityInfo]) -> Iterator[Step]:
        """The open steps that have been tried again since they were last looked at."""
        by_id = {step.id: number for number, step in self.open.items()}
        for activity in pending:
            number = by_id.get(self._prefix + activity.activity_id)
            if number is None or activity.attempt <= self.open[number].attempt:
                continue
            error = _reason(activity.last_failure)
            self.open[number] = replace(self.open[number], state="retrying", attempt=activity.attempt, error=error)
            yield self.open[number]

    async def _schedule(self, event: HistoryEvent) -> Step:
        attributes = event.activity_task_scheduled_event_attributes
        identifier, summary = self._prefix + attributes.activity_id, await self._summary(event)
        step = Step(identifier, attributes.activity_type.name, "scheduled", summary)
        self.open[event.event_id] = step
        return step

    async def _local(self, event: HistoryEvent) -> Step | None:
        """A local activity leaves one event, when it is over."""
        attributes = event.marker_recorded_event_attributes
        if attributes.marker_name != _LOCAL_ACTIVITY:
            return None
        told = json.loads(attributes.details["data"].payloads[0].data)
        failed = attributes.HasField("failure")
        return Step(
            self._prefix + told["activity_id"],
            told["activity_type"],
            "failed" if failed else "completed",
            await self._summary(event),
            attempt=told["attempt"],
            error=_reason(attributes.failure) if failed else None,
        )

    async def _summary(self, event: HistoryEvent) -> str:
        if not event.user_metadata.HasField("summary"):
            return ""
        [summary] = await self._converter.decode([event.user_metadata.summary], [str])
        return str(summary)

    def _start(self, event: HistoryEvent) -> None:
        """Only the last attempt has a start event, written when it ends."""
        attributes = event.activity_task_started_event_attributes
        number = attributes.scheduled_event_id
        self._started[number] = event.event_time.ToDatetime()
        self.open[number] = replace(self.open[number], attempt=attributes.attempt)

    def _end(self, event: HistoryEvent, kind: str) -> Step:
        attributes = getattr(event, kind)
        number = attributes.scheduled_event_id
        started = self._started.pop(number, None)
        seconds = (event.event_time.ToDatetime() - started).total_seconds() if started else None
        error = _reason(attributes.failure) if _ENDS[kind] == "failed" else None
        return replace(self.open.pop(number), state=_ENDS[kind], seconds=seconds, error=error)


def _failed_task(event: HistoryEvent) -> Step | None:
    attributes = event.workflow_task_failed_event_attributes
    if attributes.cause not in _BUGS:
        return None
    reason = _reason(attributes.failure)
    if attributes.cause == _NON_DETERMINISTIC:
        reason += f". {UNSTEADY}"
    return Step(f"task-{event.event_id}", WORKFLOW_CODE, "retrying", error=reason)


def _reason(failure: Failure) -> str:
    if failure.HasField("timeout_failure_info"):
        silent = failure.timeout_failure_info.timeout_type == TimeoutType.TIMEOUT_TYPE_HEARTBEAT
        return "its worker went silent" if silent else "it took too long"
    if failure.HasField("application_failure_info") and failure.application_failure_info.type:
        return f"{failure.application_failure_info.type}: {failure.message}"
    return failure.message
