"""Heartbeats for every activity that has a heartbeat timeout, sent while it runs. Runs in activities.

A beat is also how the server's cancellation reaches an activity. A step that ends before its first one costs nothing.
Details that the activity itself reports are repeated by each beat, because the server keeps the last beat alone. So are
notes: what the next attempt must know of this one, whatever becomes of the worker. All beats of an activity that takes
them are sent in here, one after the other: one of the SDK's might come after a newer one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.api.workflowservice.v1 import RecordActivityTaskHeartbeatRequest, RecordActivityTaskHeartbeatResponse
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

BEATS_PER_TIMEOUT = 3

NOTES = "perdure_notes"
"""The last of a beat's details is an object with this name alone, where there are notes."""

NOTING_TIMEOUT = timedelta(seconds=20)


class HeartbeatInterceptor(Interceptor):
    """Each activity beats every `seconds`, more often where its time-out asks for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Beating(next, self._seconds)


class _Beating(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, seconds: float) -> None:  # noqa: A002 -- the SDK's name
        super().__init__(next)
        self._seconds = seconds

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self.reported = Reported(outbound)
        super().init(self.reported)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 -- the SDK's name
        REPORTED.set(self.reported)
        timeout = activity.info().heartbeat_timeout
        if timeout is None:
            return await self.next.execute_activity(input)
        beating = _Beat(self.reported, min(self._seconds, timeout.total_seconds() / BEATS_PER_TIMEOUT))
        try:
            return await self.next.execute_activity(input)
        finally:
            beating.end()
            await self.reported.tell_the_last()


class _Beat:
    """A timer that starts itself again: a task for each step would cost more, and most steps end before a beat."""

    def __init__(self, reported: Reported, interval: float) -> None:
        self._reported = reported
        self._interval = interval
        self._sending: asyncio.Task[None] | None = None
        self._wait()

    def end(self) -> None:
        self._timer.cancel()
        if self._sending:
            self._sending.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._beat)

    def _beat(self) -> None:
        if not self._reported.takes_notes:
            activity.heartbeat(*self._reported.details)
        elif self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._reported.beat())
        self._wait()


class Reported(ActivityOutboundInterceptor):
    """What an attempt has told the server: `details` are the activity's own, `notes` are JSON."""

    def __init__(self, next: ActivityOutboundInterceptor) -> None:  # noqa: A002 -- the SDK's name
        super().__init__(next)
        self.loop = asyncio.get_running_loop()
        self.details = activity.info().heartbeat_details
        self.notes = _notes_in(self.details)
        self.takes_notes = False
        self._untold = False
        self._recording = asyncio.Lock()

    def heartbeat(self, *details: Any) -> None:
        """From any thread: bodies run beside the worker's loop."""
        self.details = details
        if self.takes_notes:
            self._untold = True  # the next beat tells it
        elif asyncio._get_running_loop() is self.loop:  # noqa: SLF001 -- the documented way to ask without raising
            super().heartbeat(*details)
        else:
            self.loop.call_soon_threadsafe(super().heartbeat, *details)

    async def beat(self) -> None:
        """The SDK ends an attempt that is not wanted any more, or tells what can't be written: it asks, too."""
        try:
            answer = await self._record_alone()
        except RPCError as error:
            is_over = error.status == RPCStatusCode.NOT_FOUND
        except (TypeError, ValueError):
            is_over = True
        else:
            is_over = answer.cancel_requested or answer.activity_paused or answer.activity_reset
        if is_over:
            super().heartbeat(*self._told())

    async def tell_the_last(self) -> None:
        """What the activity has told since the last beat, which its next attempt may go by."""
        if self._untold:
            with suppress(RPCError):
                await self._record_alone()

    async def save(self) -> None:
        """The notes are on the server when it returns. Raises `CancelledError` where the activity is not wanted any
        more, and an `RPCError` where the server waits for no news of this attempt.
        """
        is_beside = asyncio.get_running_loop() is not self.loop  # which waits for it
        answer = await (self._record() if is_beside else self._record_alone())
        if answer.cancel_requested:
            raise asyncio.CancelledError

    async def is_awaited(self) -> bool:
        """Whether the server waits for this attempt, and has not been told to cancel it."""
        try:
            return not (await self._record_alone()).cancel_requested
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return False

    async def _record_alone(self) -> RecordActivityTaskHeartbeatResponse:
        async with self._recording:  # else an older state could arrive last
            return await self._record()

    async def _record(self) -> RecordActivityTaskHeartbeatResponse:
        self._untold = False
        info, client = activity.info(), activity.client()
        return await client.workflow_service.record_activity_task_heartbeat(
            RecordActivityTaskHeartbeatRequest(
                namespace=info.namespace,
                task_token=info.task_token,
                identity=client.identity,
                details=await client.data_converter.encode_wrapper(self._told()),
            ),
            retry=True,
            timeout=NOTING_TIMEOUT,
        )

    def _told(self) -> Sequence[Any]:
        return [*self.details, {NOTES: self.notes}] if self.notes else self.details


REPORTED: ContextVar[Reported] = ContextVar("perdure_reported")
"""Of the activity that runs."""


def _notes_in(details: Sequence[Any]) -> dict[str, Any]:
    """Takes the notes of the attempt before this one out of what it told: activities look for their own details."""
    if isinstance(details, list) and details and isinstance(details[-1], dict) and details[-1].keys() == {NOTES}:
        notes: dict[str, Any] = details.pop()[NOTES]
        return notes
    return {}
