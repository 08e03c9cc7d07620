"""A step that changes something, and begins late, asks first whether it is wanted. Runs in activities.

It has waited for a worker or for a process, or its worker was frozen. Its run may have been cancelled meanwhile, or may
have given it up. A heartbeat tells of a cancellation only when a worker has taken up the run. A step that begins in
time asks nothing: that would cost milliseconds.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.heartbeats import REPORTED
from agents.errors import NotBegun

if TYPE_CHECKING:
    from collections.abc import Collection

    from temporalio.client import Client

IN_TIME = timedelta(milliseconds=250)
"""Since it was scheduled. Where nothing is overloaded, it takes some milliseconds."""

TIMEOUT = timedelta(seconds=20)


async def refuse_unwanted() -> None:
    """Comes right before what must not happen for a run that is cancelled. Raises `NotBegun`."""
    callers, info = _CALLERS.get(), activity.info()
    if callers is None or _is_in_time(info):
        return
    if (not info.is_local and not await REPORTED.get().is_awaited()) or await callers.have_cancelled():
        raise NotBegun(
            f"{info.activity_type!r} would have begun late. By now its run was cancelled, or had given it up."
        )


def _is_in_time(info: activity.Info) -> bool:
    """Another machine's clock may go wrong. What the server says by its own is true all the same."""
    now = max(datetime.now(UTC), info.started_time)
    return info.attempt == 1 and now - info.current_attempt_scheduled_time < IN_TIME


class LatenessInterceptor(Interceptor):
    """`agents` are the types of the workflows that call others as agents, and are cancelled with them."""

    def __init__(self, agents: Collection[str]) -> None:
        self._callers = _Callers(agents)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 -- the SDK's name
        return _Late(next, self._callers)


class _Late(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, callers: _Callers) -> None:  # noqa: A002 -- the SDK's name
        super().__init__(next)
        self._callers = callers

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 -- the SDK's name
        _CALLERS.set(self._callers)
        return await super().execute_activity(input)


class _Callers:
    """Who waits for steps. What the server said of a run holds for `IN_TIME`: where hundreds are late, few ask."""

    def __init__(self, agents: Collection[str]) -> None:
        self._agents = agents
        self._asked: dict[str, tuple[float, asyncio.Future[bool]]] = {}

    async def have_cancelled(self) -> bool:
        info, now = activity.info(), time.monotonic()
        run = WorkflowExecution(workflow_id=info.workflow_id or "", run_id=info.workflow_run_id or "")
        self._asked = {key: asked for key, asked in self._asked.items() if now - asked[0] < IN_TIME.total_seconds()}
        if run.run_id not in self._asked:
            self._asked[run.run_id] = now, asyncio.ensure_future(self._are_cancelled(activity.client(), run))
        _, answer = self._asked[run.run_id]
        return await asyncio.shield(answer)

    async def _are_cancelled(self, client: Client, run: WorkflowExecution) -> bool:
        """The run, or an agent that has called it."""
        while run.workflow_id:
            request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=run)
            try:
                told = await client.workflow_service.describe_workflow_execution(request, retry=True, timeout=TIMEOUT)
            except RPCError as error:
                if error.status == RPCStatusCode.NOT_FOUND:
                    return False
                raise
            if told.workflow_execution_info.type.name not in self._agents:
                return False
            if told.workflow_extended_info.cancel_requested:
                return True
            run = told.workflow_execution_info.parent_execution
        return False


_CALLERS: ContextVar[_Callers | None] = ContextVar("perdure_callers", default=None)
"""Of the steps of this worker."""
