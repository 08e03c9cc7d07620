"""Keeps workflows from running ahead of their time. Runs around workflows, in workers.

A query may come to a worker that does not have the run, while events wait for their workflow task. The SDK then hands
these events to the run as well, with the time and the history's length as of the task before, and keeps the run. What
it decides so is not what a replay decides: a nondeterminism error, for ever. Or what is left of it can't take the next
events: the SDK keeps it, answers nothing more that it is asked, and never ends the worker. So such a run answers, and
is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporal.runners import SurroundingRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from temporalio.worker import Worker, WorkflowRunner

    from temporal.runners import Activate


class RanAhead(Exception):
    """What the next task of such a run fails with that was not dropped in time. It is replayed, and tried again."""


class TimelyRunner(SurroundingRunner):
    def __init__(self, inner: WorkflowRunner) -> None:
        super().__init__(inner)
        self._bridge: Callable[[], Any] | None = None

    def around(self, activate: Activate) -> Activate:
        return _Timely(activate, self.drop)

    def serve(self, worker: Worker) -> None:
        """The SDK has no public name for dropping a run; tests/integration/test_crash.py fails if its own moves."""
        if workflows := worker._workflow_worker:  # noqa: SLF001 -- see above
            self._bridge = workflows._bridge_worker  # noqa: SLF001 -- see above

    def drop(self, run: str) -> None:
        """Takes it out of the worker's cache."""
        if self._bridge is not None:
            self._bridge().request_workflow_eviction(run)


class _Timely:
    """Each task has a time of its own. Events without one have that of the task before."""

    def __init__(self, activate: Activate, drop: Callable[[str], None]) -> None:
        self._activate = activate
        self._drop = drop
        self._length = 0
        self._time = (0, 0)
        self._is_ahead = False

    def __call__(self, activation: Any) -> Any:
        kinds = {job.WhichOneof("variant") for job in activation.jobs}
        if "query_workflow" in kinds:
            if self._is_ahead:
                self._drop(activation.run_id)
        elif "remove_from_cache" not in kinds:
            self._go_on(activation.history_length, (activation.timestamp.seconds, activation.timestamp.nanos))
        return self._activate(activation)

    def _go_on(self, length: int, time: tuple[int, int]) -> None:
        if self._is_ahead and time != self._time:
            raise RanAhead("A query was answered by events that no workflow task had yet. The task is tried again.")
        self._is_ahead |= 0 < self._length < length and time == self._time
        self._length, self._time = length, time
