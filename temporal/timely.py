"""Keeps workflows from running ahead of their time. Runs around workflows, in workers.

A query may come to a worker that does not have the run, while events wait for their workflow task. The SDK then hands
these events to the run as well, with the time and the history's length as of the task before, and keeps the run. What
it decides so is not what a replay decides: a nondeterminism error, for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from activities.queries import AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class RanAhead(Exception):
    """What such a query fails with. The run is dropped with it, and is replayed for its next task."""


class TimelyRunner(WorkflowRunner):
    """Runs workflows as `inner` does."""

    def __init__(self, inner: WorkflowRunner) -> None:
        self._inner = inner

    def prepare_workflow(self, defn: Any) -> None:
        self._inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        self._inner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = self._inner.create_instance(det)
        instance.activate = _timely(instance.activate)  # type: ignore[method-assign,assignment]
        return instance


def _timely(activate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Each task has a time of its own. Events without one have that of the task before."""
    length, time = 0, (0, 0)

    def timely(activation: Any) -> Any:
        nonlocal length, time
        now = (activation.timestamp.seconds, activation.timestamp.nanos)
        if length and activation.history_length > length and now == time:
            raise RanAhead(AHEAD)
        length, time = activation.history_length, now
        return activate(activation)

    return timely
