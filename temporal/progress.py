"""A run's steps as they happen, read from its history by long poll. Runs in clients, on any machine.

Watching adds nothing to the history. Attempts of a step are no events, so while a step is open the server is asked
about it once a second.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from temporalio.api.failure.v1 import Failure
    from temporalio.api.history.v1 import HistoryEvent
    from temporalio.api.workflow.v1 import PendingActivityInfo
    from temporalio.client import Client, WorkflowHistoryEventAsyncIterator

ATTEMPT_INTERVAL = 1.0

StepState = Literal["scheduled", "retrying", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Step:
    """One activity at one moment. `seconds` is how long its last attempt took, known once it is over."""

    id: str
    activity: str
    state: StepState
    summary: str = ""
    attempt: int = 1
    seconds: float | None = None
    error: str | None = None
    scheduled: datetime = field(default_factory=lambda: datetime.fromtimestamp(0, UTC))

    @property
    def is_over(self) -> bool:
        return self.state in ("completed", "failed", "cancelled")


async def watch_steps(client: Client, run: str) -> AsyncIterator[Step]:
    """Every change of every step of `run`, from its first event to its end, over continue-as-new."""
    execution: str | None = None
    while True:
        ledger = _Ledger(client)
        events = client.get_workflow_handle(run, run_id=execution).fetch_history_events(wait_new_event=True)
        async for step in _follow(client, run, events, ledger):
            yield step
        if ledger.next_execution is None:
            return
        execution = ledger.next_execution


async def _follow(
    client: Client, run: str, events: WorkflowHistoryEventAsyncIterator, ledger: _Ledger
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


async def _pending(client: Client, run: str) -> Iterable[PendingActivityInfo]:
    description = await client.get_workflow_handle(run).describe()
    return description.raw_description.pending_activities
