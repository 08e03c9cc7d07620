"""kill -9 of the worker in the middle of a run, then a new worker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

from temporalio.client import Client

from activities.queries import ask
from agents import Registry
from temporal.dev.stack import Stack
from temporal.replay import replay_strictly
from temporal.settings import Settings
from tests.integration.conftest import PATIENCE, Bench, steps
from tests.integration.crashing import ANSWER, made
from workflows.contracts import AGENT_WORKFLOW
from workflows.graph import Graphs
from workflows.turns import THREAD_WORKFLOW, Turns


async def test_a_run_survives_its_worker_and_repeats_no_finished_step(
    client: Client, stack: Stack, tmp_path: Path
) -> None:
    queue = f"crash-{uuid.uuid4().hex[:8]}"
    first = await _worker(stack, queue, tmp_path)
    handle = await client.start_workflow(
        AGENT_WORKFLOW, {"agent": "crashing", "input": "go"}, id=queue, task_queue=queue, execution_timeout=PATIENCE
    )
    await _until(lambda: "wait" in _calls(tmp_path))

    os.kill(first.pid, signal.SIGKILL)
    await first.wait()
    (tmp_path / "go").touch()
    second = await _worker(stack, queue, tmp_path)
    result = await handle.result()
    second.terminate()
    await second.wait()

    history = await handle.fetch_history()
    assert result["output"] == ANSWER
    assert _calls(tmp_path) == ["model", "count", "model", "wait", "wait", "model"]
    assert steps(history) == ["call_model", "count", "call_model", "wait", "call_model"]
    await replay_strictly(history, Graphs.of(Registry.of([made(tmp_path)[0]]), lambda _name: "scripted"))


async def test_a_thread_that_is_asked_while_its_worker_is_dead_is_replayed_as_it_went(
    client: Client, stack: Stack, tmp_path: Path
) -> None:
    """The query comes to the new worker before the task that the thread's timer has made."""
    queue = f"crash-{uuid.uuid4().hex[:8]}"
    (tmp_path / "go").touch()
    first = await _worker(stack, queue, tmp_path)
    handle = await client.start_workflow(
        THREAD_WORKFLOW, {"agent": "crashing", "idle": 1}, id=queue, task_queue=queue, execution_timeout=PATIENCE
    )
    await handle.execute_update("send", {"input": "go", "wait": True})

    os.kill(first.pid, signal.SIGKILL)
    await first.wait()
    asked = asyncio.create_task(ask(handle, "turns", Turns))
    bench = Bench(client, *made(tmp_path), Settings(task_queue=queue), [])
    async with bench.worker():
        turns = await asked
        await handle.result()

    assert [turn.status for turn in turns.turns] == ["done"]
    history = await bench.replayed(handle)
    assert sum(event.HasField("timer_started_event_attributes") for event in history.events) == 1


async def _worker(stack: Stack, queue: str, folder: Path) -> asyncio.subprocess.Process:
    module = "tests.integration.crashing"
    address = stack.addresses.temporal_address
    return await asyncio.create_subprocess_exec(sys.executable, "-m", module, address, queue, str(folder))


def _calls(folder: Path) -> list[str]:
    file = folder / "calls"
    return file.read_text().split() if file.exists() else []


async def _until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while not condition():
            await asyncio.sleep(0.05)
