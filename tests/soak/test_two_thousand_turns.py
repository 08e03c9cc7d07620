"""A chat of 2,000 turns, each of 10 kB, with the server's own limits: `make soak`, some minutes.

The worker is replaced on the way. It prints what it measured.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import pytest
from temporalio.client import WorkflowHandle, WorkflowHistory

from temporal.storage import StorageLocation
from tests.integration.chat import BYE, RULES, Looking, Talk, characters, chatting, texts
from tests.integration.conftest import storing_client

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]

TURNS = 2_000
EVERY = 500
"""Turns after which the worker is replaced."""


@dataclass(frozen=True)
class Execution:
    events: int
    size: int
    longest: float
    """Seconds of its longest workflow task."""


def measured(history: WorkflowHistory) -> Execution:
    events = history.events
    tasks = [
        (done.event_time.ToDatetime() - started.event_time.ToDatetime()).total_seconds()
        for started, done in pairwise(events)
        if done.HasField("workflow_task_completed_event_attributes")
    ]
    return Execution(len(events), sum(event.ByteSize() for event in events), max(tasks))


async def executions(handle: WorkflowHandle) -> list[WorkflowHistory]:
    found = []
    run_id = handle.first_execution_run_id
    while run_id:
        found.append(await handle._client.get_workflow_handle(handle.id, run_id=run_id).fetch_history())
        run_id = found[-1].events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


async def test_a_chat_of_two_thousand_turns_ends_well(bench, stack, tmp_path, capsys) -> None:
    storage = StorageLocation("a folder", tmp_path / "storage")
    made = bench(chatting(), Looking(), cached=100, on=await storing_client(stack, storage))
    said = [*texts(TURNS, 10_000)]
    handle = await made.start({"messages": []}, patience=timedelta(hours=1))
    talk = Talk(made.client.get_workflow_handle(handle.id))
    began, paces = time.monotonic(), []

    for start in range(0, TURNS, EVERY):
        async with made.worker():
            for text in said[start : start + EVERY]:
                await talk.say(text)
            await talk.wait()
        paces.append(round((time.monotonic() - began) * 1_000 / (start + EVERY)))
    async with made.worker():
        await talk.say(BYE)
        result = await handle.result()
    answers: list[str] = []
    for number in range(1, TURNS + 1):
        answers.append(characters([RULES, *said[:number], *answers]))

    histories = await executions(handle)
    found = [measured(history) for history in histories]
    stored = sum(path.stat().st_size for path in (tmp_path / "storage").rglob("*") if path.is_file())
    lines = [f"{each.events:6,} events, {each.size:,} bytes, longest task {each.longest:.2f} s" for each in found]
    lines.append(f"milliseconds a turn after each {EVERY}: {paces}; {stored:,} bytes stored")
    lines.append(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert result["output"] == answers[-1]
    assert all(execution.events <= 10_240 and execution.size <= 5_000_000 for execution in found)
    assert not any(
        event.HasField("workflow_task_failed_event_attributes") for each in histories for event in each.events
    )
