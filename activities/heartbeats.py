"""Heartbeats for every activity that has a heartbeat timeout, sent while it runs. Runs in activities.

A beat is also how the server's cancellation reaches an activity. A step that ends before its first one costs nothing.
Details that the activity itself reports are repeated by each beat, because the server keeps the last beat alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

BEATS_PER_TIMEOUT = 3


class HeartbeatInterceptor(Interceptor):
    """Each activity beats every `seconds`, more often where its time-out asks for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Beating(next, self._seconds)


class _Beating(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, seconds: float) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self._seconds = seconds

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self.reported = _Remembering(outbound)
        super().init(self.reported)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
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

    def __init__(self, reported: _Remembering, interval: float) -> None:
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


class _Remembering(ActivityOutboundInterceptor):
    def __init__(self, next: ActivityOutboundInterceptor) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self.details: Sequence[Any] = activity.info().heartbeat_details
        self._loop = asyncio.get_running_loop()

    def heartbeat(self, *details: Any) -> None:
        """From any thread: bodies run beside the worker's loop."""
        self.details = details
        if asyncio._get_running_loop() is self._loop:  # noqa: SLF001 -- the documented way to ask without raising
            super().heartbeat(*details)
        else:
            self._loop.call_soon_threadsafe(super().heartbeat, *details)
