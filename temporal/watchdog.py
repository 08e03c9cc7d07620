"""Ends graph code that computes without end inside a workflow: the run fails and names the line.

Temporal's SDK gives a workflow's thread two seconds by the clock on the wall, and then fails the workflow task, which
the server retries for ever. A busy machine takes these seconds from runs that do nothing wrong; a loop without end
never gets any further. So here the processor time of the thread counts, and what ends is the run.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temporalio.bridge.runtime import Runtime
from temporalio.exceptions import ApplicationError

from agents.errors import ComputedTooLong
from temporal.runners import SurroundingRunner
from workflows.lines import line_of, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from temporalio.worker import Worker, WorkflowRunner

    from temporal.runners import Activate

SIGHTINGS, APART = 6, 0.4
"""The author's frame that is running at six looks is stuck. Looks are .4 seconds of the thread's processor time apart,
so that much work in small pieces is not mistaken for it. The server waits 10 seconds by the clock for all of it."""

GLANCES = 50
"""So often a thread is looked at for the moment to end it in. If that does not come, the next look tries again."""

LOOKS_EVERY = 0.2
"""Seconds between two looks at the processor time. The first look at a workflow's work notes where the time stands."""

IDLE_LOOKS = 50
"""So many looks in a row that find no workflow at work end the watchdog's own thread, until there is one again."""

BACKSTOP = 30
"""Seconds by the clock after which the SDK gives up a workflow's thread that is blocked where Python can't end it."""


@dataclass(slots=True)
class _Activation:
    """`looked_at` is processor time of the thread, in seconds; `frame` was running at the last `sightings` looks."""

    run: str
    thread: int
    looked_at: float | None = None
    frame: FrameType | None = None
    sightings: int = 0
    interruptions: int = 0


class Watchdog:
    """Looks after the threads of one worker that run workflows. To say that one begins and ends costs next to nothing:
    it happens with each step.
    """

    def __init__(self) -> None:
        self._watched: dict[int, _Activation] = {}
        self._changing = threading.Lock()
        self._is_awake = False
        self.stuck: dict[str, str] = {}
        """Runs that were interrupted, and why: what they say to it may come too late for the server."""

    @contextmanager
    def watching(self, run: str) -> Iterator[None]:
        """Watches the calling thread while the block runs."""
        thread = threading.get_ident()
        with self._changing:
            self._watched[thread] = _Activation(run, thread)
            if not self._is_awake:
                self._is_awake = True
                threading.Thread(target=self._watch, name="perdure-watchdog", daemon=True).start()
        try:
            yield
        finally:
            with self._changing:
                del self._watched[thread]

    def _watch(self) -> None:
        idle = 0
        while idle < IDLE_LOOKS:
            time.sleep(LOOKS_EVERY)
            with self._changing:
                idle = 0 if self._watched else idle + 1
                self._is_awake = idle < IDLE_LOOKS
                for activation in self._watched.values():
                    self._look(activation)

    def _look(self, activation: _Activation) -> None:
        """Only the author's own code is ended: an exception in the midst of a library's could leave it in pieces."""
        spent = processor_seconds(activation.thread)
        if activation.looked_at is None:
            activation.looked_at = spent
        if spent - activation.looked_at < APART:
            return
        if (frame := running(sys._current_frames().get(activation.thread))) is None:  # noqa: SLF001 -- the way to look at another thread
            return
        activation.looked_at = spent
        activation.sightings = activation.sightings + 1 if frame is activation.frame else 1
        activation.frame = frame
        if activation.sightings >= SIGHTINGS:
            self._interrupt(activation, frame)

    def _interrupt(self, activation: _Activation, frame: FrameType) -> None:
        """The exception comes where the thread is by then. One that hits the event loop of the workflow makes it lose a
        task, and what has lost one can't be dropped from the worker. So it is looked at again, right before.
        """
        message = (
            f"Graph code computed for seconds on end inside a workflow ({line_of(frame)}). "
            "Move it to a tool, or let the node run as an activity."
        )
        raised = _interruption(message, stubborn=activation.interruptions > 0)
        for _ in range(GLANCES):
            time.sleep(0)  # begins a new turn with the interpreter: what follows is too short to lose it
            if running(sys._current_frames().get(activation.thread)) is frame:  # noqa: SLF001 -- see above
                Runtime._raise_in_thread(activation.thread, raised)  # noqa: SLF001 -- as the SDK's own detector
                activation.sightings = 0
                activation.interruptions += 1
                self.stuck[activation.run] = message
                return


def _interruption(message: str, *, stubborn: bool) -> type[BaseException]:
    """A class, because Python takes no instance to raise in another thread. Code that caught one gets another kind."""

    def begin(self: BaseException) -> None:
        BaseException.__init__(self, message)

    base = BaseException if stubborn else ComputedTooLong
    return type(ComputedTooLong.__name__, (base,), {"__init__": begin})


def processor_seconds(thread: int) -> float:
    """What a thread has used of the processor. Where the system does not tell, the time that has passed."""
    if hasattr(time, "pthread_getcpuclockid"):
        return time.clock_gettime(time.pthread_getcpuclockid(thread))
    return time.monotonic()


class WatchedRunner(SurroundingRunner):
    def __init__(self, inner: WorkflowRunner, watchdog: Watchdog) -> None:
        super().__init__(inner)
        self._watchdog = watchdog

    def around(self, activate: Activate) -> Activate:
        return functools.partial(self._activate, activate)

    def _activate(self, activate: Activate, activation: Any) -> Any:
        """A run that was interrupted before is tried again where the server did not hear of it in time."""
        run, leaves = activation.run_id, any(job.HasField("remove_from_cache") for job in activation.jobs)
        if not leaves and (why := self._watchdog.stuck.get(run)):
            raise ApplicationError(why, type=ComputedTooLong.__name__, non_retryable=True)
        with self._watchdog.watching(run):
            return activate(activation)


def leave_to_watchdog(worker: Worker) -> None:
    """Raises the SDK's own limit, which has no public name; tests/integration/test_watchdog.py fails if it moves."""
    if workflows := worker._workflow_worker:  # noqa: SLF001 -- see above
        workflows._deadlock_timeout_seconds = BACKSTOP  # noqa: SLF001 -- see above
