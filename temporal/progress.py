"""A run's steps as they happen, read from its history by long poll. Runs in clients, on any machine.

Watching adds nothing to the history. The attempts of a step are no events, so while a step is open the server is
asked about it once a second.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest

from temporal.steps import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from temporalio.api.workflow.v1 import PendingActivityInfo
    from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
    from temporalio.client import Client, WorkflowHistoryEventAsyncIterator

    from temporal.steps import Step

ATTEMPT_INTERVAL = 1.0


async def watch_steps(client: Client, run: str) -> AsyncIterator[Step]:
    """Every change of every step of `run`, from its first event to its end, over continue-as-new."""
    execution: str | None = await _first_execution(client, run)
    number = 0
    while execution is not None:
        number += 1
        ledger = Ledger(client.data_converter, execution=number)
        events = client.get_workflow_handle(run, run_id=execution).fetch_history_events(wait_new_event=True)
        async for step in _follow(client, run, events, ledger):
            yield step
        execution = ledger.next_execution


async def _follow(
    client: Client, run: str, events: WorkflowHistoryEventAsyncIterator, ledger: Ledger
) -> AsyncIterator[Step]:
    upcoming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            await asyncio.wait({upcoming}, timeout=ATTEMPT_INTERVAL if ledger.open else None)
            if not upcoming.done():
                for step in ledger.note_attempts(await _pending(client, run)):
                    yield step
                continue
            event = upcoming.result()
            if event is None:
                return
            if (changed := await ledger.note_event(event)) is not None:
                yield changed
            upcoming = asyncio.ensure_future(anext(events, None))
    finally:
        upcoming.cancel()


async def waits_for_worker(client: Client, run: str) -> bool:
    """Whether something of `run` is ready to be done and no worker has taken it up. Ask twice: it may be on its way."""
    description = await describe(client, run)
    if not description.HasField("pending_workflow_task"):
        return any(_is_ready(activity) for activity in description.pending_activities)
    return description.pending_workflow_task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED


def _is_ready(activity: PendingActivityInfo) -> bool:
    """One that is to be tried again later has the time of that instead."""
    scheduled = activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    return scheduled and not activity.HasField("next_attempt_schedule_time")


async def _first_execution(client: Client, run: str) -> str:
    """A run that has continued as new is watched from its beginning."""
    return (await describe(client, run)).workflow_execution_info.first_run_id


async def _pending(client: Client, run: str) -> Iterable[PendingActivityInfo]:
    return (await describe(client, run)).pending_activities


async def describe(client: Client, run: str) -> DescribeWorkflowExecutionResponse:
    """Asked of the service itself: the SDK's own `describe` fails on a paused run."""
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=run)),
        retry=True,
    )
