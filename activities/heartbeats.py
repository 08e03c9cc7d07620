"""Heartbeats for every activity that has a heartbeat timeout, sent while it runs. Runs in activities.

A beat is also how the server's cancellation reaches an activity. A step that ends before its first one costs nothing.
Details that the activity itself reports are repeated by each beat, because the server keeps the last beat alone. So are
notes: what the next attempt must know of this one, whatever becomes of the worker.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.api.workflowservice.v1 import (
    RecordActivityTaskHeartbeatRequest,
    RecordActivityTaskHeartbeatResponse,
)
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


class _Beat:
    """A timer that starts itself again: a task for each step would cost more, and most steps end before a beat."""

    def __init__(self, reported: Reported, interval: float) -> None:
        self._reported = reported
        self._interval = interval
        self._wait()

    def end(self) -> None:
        self._timer.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._beat)

    def _beat(self) -> None:
        activity.heartbeat(*self._reported.details)
        self._wait()


class Reported(ActivityOutboundInterceptor):
    """What an attempt has told the server: `details` are the activity's own, `notes` are JSON."""

    def __init__(self, next: ActivityOutboundInterceptor) -> None:  # noqa: A002 -- the SDK's name
        super().__init__(next)
        self.loop = asyncio.get_running_loop()
        self.details = activity.info().heartbeat_details
        self.notes = _notes_in(self.details)
        self._saving = asyncio.Lock()

    def heartbeat(self, *details: Any) -> None:
        """From any thread: bodies run beside the worker's loop."""
        self.details = details
        if asyncio._get_running_loop() is self.loop:  # noqa: SLF001 -- the documented way to ask without raising
            super().heartbeat(*self._told())
        else:
            self.loop.call_soon_threadsafe(super().heartbeat, *self._told())

    async def save(self) -> None:
        """The notes are on the server when it returns. Raises `CancelledError` where the activity is not wanted any
        more, and an `RPCError` where the server waits for no news of this attempt.
        """
        self.heartbeat(*self.details)  # what the SDK holds back would else be sent later, without the notes
        if asyncio.get_running_loop() is self.loop:
            async with self._saving:  # else an older state could arrive last
                await self._save()
        else:
            await self._save()

    async def is_awaited(self) -> bool:
        """Whether the server waits for this attempt, and has not been told to cancel it."""
        try:
            return not (await self._sent()).cancel_requested
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return False

    async def _save(self) -> None:
        if (await self._sent()).cancel_requested:
            raise asyncio.CancelledError

    async def _sent(self) -> RecordActivityTaskHeartbeatResponse:
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
