"""A step: one activity, its options, and its failure as the exception that graph code expects."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Never, TypeVar

from temporalio import workflow
from temporalio.common import Priority, RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ActivityCancellationType

from activities.sizes import LIMITS, packed
from agents.errors import HistoryFull, UnsupportedValue
from workflows.events import ToldStep
from workflows.raised import rebuilt
from workflows.run import hosted_run
from workflows.window import WINDOW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel
    from temporalio.workflow import ActivityHandle

    from agents.options import StepOptions
    from workflows.run import Run

Response = TypeVar("Response")

MOST_EVENTS = 45_000
MOST_HISTORY_BYTES = 45 * 1024 * 1024
"""The server terminates a run at 51,200 events or 50 MB, without a word that the run could say."""

MOST_SHOWN = 100
"""Characters of a summary: what Temporal's web UI shows, and in any script below the server's limit of 400 bytes."""

MOST_READ = 10_000
"""Characters that are looked at for it: a text of megabytes would take long, and a workflow has no time."""


ENDING: ContextVar[bool] = ContextVar("perdure_ending", default=False)
"""Set where steps may begin although the run was cancelled: steps that undo what others did."""


@dataclass(slots=True)
class Stop:
    """Whether a part of a run is to end, and how, though the run goes on: a turn of a thread."""

    kind: Literal["", "interrupt", "rollback"] = ""


STOP: ContextVar[Stop] = ContextVar("perdure_stop", default=Stop())  # noqa: B039 -- the default is never changed


async def execute_step(
    activity: str,
    request: BaseModel,
    response: type[Response],
    *,
    options: StepOptions,
    summary: str,
    overrides: Mapping[str, Any] | None = None,
) -> Response:
    """`overrides` are arguments of Temporal's `execute_activity` that go before the options."""
    sent = packed(request, f"The request of {activity}", workflow.payload_converter())
    _refuse_full_history(activity)
    shown = shorten(options.summary or summary)
    try:
        async with WINDOW.get().place(LIMITS.get().inline(len(sent.payload.data))):
            refuse_cancelled()
            step = _started(activity, sent, options, shown, overrides or {})
            with _Account(run, activity, step, shown) if (run := hosted_run()) else nullcontext():
                given = await _ended(step)
    except (ActivityError, ApplicationError) as error:  # a local activity's failure comes as it is
        if (raised := rebuilt(error, activity)) is not None:
            raise raised from error
        raise
    return unpacked(given, f"The result of {activity}", response)


class _Account:
    """What a run's watchers and its journal hear of a step."""

    __slots__ = ("_noted", "_told")

    def __init__(self, run: Run, activity: str, step: ActivityHandle[RawValue], summary: str) -> None:
        self._noted = run.journal.begin(activity, summary)
        self._told = ToldStep(run.events, activity, step, summary)

    def __enter__(self) -> None:
        """It began when the step was started."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        self._noted.end(failed=error is not None)
        self._told.end(error)


def _started(
    activity: str, sent: RawValue, options: StepOptions, summary: str, overrides: Mapping[str, Any]
) -> ActivityHandle[RawValue]:
    retries = RetryPolicy(maximum_attempts=options.attempts, maximum_interval=timedelta(seconds=30))
    if options.local:
        return workflow.start_local_activity(
            activity,
            sent,
            result_type=RawValue,
            start_to_close_timeout=options.timeout,
            retry_policy=retries,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    chosen = {
        "start_to_close_timeout": options.timeout,
        "heartbeat_timeout": options.heartbeat,
        "retry_policy": retries,
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        "task_queue": options.task_queue,
        "priority": Priority(priority_key=options.priority),
        "summary": summary,
    }
    return workflow.start_activity(activity, sent, result_type=RawValue, **{**chosen, **overrides})


class CancelledStep(asyncio.CancelledError):
    """A step was cancelled, and it ended so: it gave something all the same, or failed."""

    def __init__(self, *, given: RawValue | None = None, error: BaseException | None = None) -> None:
        super().__init__()
        self.given = given
        self.error = error


async def _ended(step: ActivityHandle[RawValue]) -> RawValue:
    """What the step gives. One that is cancelled is waited for: what comes after it comes after its end. Then it raises
    `CancelledStep`.
    """
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        step.cancel()
        await wait_through(step)
        if step.cancelled():
            raise
        error = step.exception()
        raise CancelledStep(given=None if error else step.result(), error=error) from None


async def wait_through(work: asyncio.Future[Any]) -> None:
    """Until `work` has ended, which a cancellation that comes meanwhile does not reach."""
    while not work.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({work})


def refuse_cancelled() -> None:
    """Graph code may swallow its cancellation. Nothing that it starts then begins."""
    if (STOP.get().kind or workflow.cancellation_reason() is not None) and not ENDING.get():
        raise asyncio.CancelledError


def _refuse_full_history(activity: str) -> None:
    """A run goes on in a new execution between two supersteps. One superstep can be too long all the same."""
    info = workflow.info()
    if info.get_current_history_length() > MOST_EVENTS or info.get_current_history_size() > MOST_HISTORY_BYTES:
        raise HistoryFull(
            f"One superstep has filled the run's history: {info.get_current_history_length():,} events, "
            f"{info.get_current_history_size():,} bytes. Let the node that calls {activity} do less at once: "
            "a loop of the graph can go on for ever, a loop in a node can't."
        )


def async_only(*_args: object, **_kwargs: object) -> Never:
    raise NotImplementedError(
        "In a workflow, models, tools, retrievers and stores are asynchronous: "
        "use `await ...ainvoke()`, and `await store.aput()` and the like."
    )


def unpacked(raw: RawValue, what: str, type_: type[Response]) -> Response:
    """Decoded here: what the SDK can't decode fails the workflow task. Raises `UnsupportedValue`."""
    try:
        value: Response = workflow.payload_converter().from_payload(raw.payload, type_)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the value can't be read
        raise UnsupportedValue(f"{what} can't be read: {shorten(str(error), 300)}") from None
    return value


def shorten(text: str, limit: int = MOST_SHOWN) -> str:
    line = " ".join(text[:MOST_READ].split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
