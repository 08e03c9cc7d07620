"""A tool that hangs, blocks, dies or does not listen harms itself alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from structlog.testing import capture_logs
from temporalio.client import Client, WorkflowFailureError

from agents import Registry, StepOptions
from agents.testing import ScriptedModel, call
from temporal.dev.stack import Stack
from temporal.replay import replay_strictly
from tests.integration.cases import agent_with
from tests.integration.conftest import PATIENCE
from tests.integration.isolating import Obedient
from tests.integration.test_agent_workflow import failure_of
from tests.integration.test_cancellation import cancelled, until
from tests.isolated import agent, asynchronous, persistent
from tests.unit.activities.test_processes import is_alive
from workflows.contracts import AGENT_WORKFLOW
from workflows.graph import Graphs


def pids_in(folder: Path, pattern: str = "hang*") -> list[int]:
    return [int(pid) for file in folder.glob(pattern) for pid in file.read_text().split()]


async def silence_outlasted(handle: Any) -> int:
    """Seconds from the start of the run's step to its last heartbeat, as the server has seen them."""
    [step] = (await handle.describe()).raw_description.pending_activities
    return int(step.last_heartbeat_time.ToSeconds() - step.last_started_time.ToSeconds())


async def test_eight_tools_that_hang_leave_room_for_others_and_end_with_their_runs(bench, tmp_path) -> None:
    made = bench(agent, Obedient(), cached=100)

    async with made.worker():
        hanging = [await made.start(f"hang folder={tmp_path} name=hang-{number}") for number in range(8)]
        await until(lambda: len(list(tmp_path.glob("hang-*"))) == 8)
        innocent = await (await made.start("where")).result()
        pids = pids_in(tmp_path)
        assert all(map(is_alive, pids))
        for handle in hanging:
            await cancelled(handle)
        await until(lambda: not any(map(is_alive, pids)))
        (tmp_path / "go").touch()
        after = await (await made.start("where")).result()

    assert innocent["output"].startswith("done: ")
    assert after["output"].startswith("done: ")
    assert not list(tmp_path.glob("*effect"))


@pytest.mark.parametrize(("way", "words"), [("exit", "ended itself with exit code 3"), ("segv", "ended by SIGSEGV")])
async def test_a_tool_that_ends_its_process_three_times_fails_its_run_alone(bench, tmp_path, way, words) -> None:
    made = bench(persistent, Obedient(), cached=100)

    async with made.worker():
        neighbour = await made.start(f"hang folder={tmp_path} name=neighbour")
        handle = await made.start(f"die folder={tmp_path} way={way}")
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        (tmp_path / "go").touch()
        result = await neighbour.result()

    assert caught.value.cause.type == "ToolQuarantined"
    assert "The process that ran tool 'die' of agent 'isolated' " in caught.value.cause.message
    assert words in caught.value.cause.message
    assert sorted(file.name for file in tmp_path.glob("died-*")) == ["died-1", "died-2", "died-3"]
    assert result["output"] == "done: never"


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with capture_logs() as records:
        yield records


async def test_a_tool_that_blocks_its_loop_stops_neither_its_heartbeats_nor_others(bench, tmp_path, logged) -> None:
    """It blocks for longer than its heartbeat time-out, and is not taken for dead."""
    options = StepOptions(attempts=3, heartbeat=timedelta(seconds=2))
    made = bench(replace(agent, tool_step=options, isolation={}), Obedient(), cached=100)

    async with made.worker():
        blocking = await made.start(f"block folder={tmp_path}")
        await until((tmp_path / "block-1").exists)
        innocent = [await (await made.start("shout text=hello")).result() for _ in range(10)]
        while await silence_outlasted(blocking) <= 2:
            await asyncio.sleep(0.1)
        assert not (tmp_path / "effect").exists()
        (tmp_path / "go").touch()
        result = await blocking.result()

    assert {each["output"] for each in innocent} == {"done: HELLO"}
    assert result["output"] == "done: unblocked"
    assert not (tmp_path / "block-2").exists()
    [said] = [record for record in logged if record["event"] == "event_loop_blocked"]
    assert said["tool"] == "block"
    assert said["at"].startswith("isolated.py:")


async def test_a_tool_that_blocks_its_loop_fails_by_its_time_and_says_where_it_was(bench, tmp_path) -> None:
    options = StepOptions(attempts=1, timeout=timedelta(seconds=4))
    made = bench(replace(agent, tool_step=options, isolation={}), Obedient(), cached=100)

    error = await failure_of(made, f"block folder={tmp_path}")
    (tmp_path / "go").touch()

    assert error.type == "ToolTimedOut"
    assert error.message.startswith("Tool 'block' took longer than 4 s. It was at isolated.py:")
    assert " in block." in error.message


async def test_a_tool_that_ignores_its_cancellation_does_no_more(bench, tmp_path) -> None:
    made = bench(agent, Obedient(), cached=100)

    async with made.worker():
        handle = await made.start(f"stay folder={tmp_path}")
        await until((tmp_path / "stay").exists)
        await cancelled(handle)
        (tmp_path / "go").touch()
        after = [await (await made.start("shout text=hello")).result() for _ in range(3)]

    assert len(after) == 3
    assert not (tmp_path / "effect").exists()


async def test_a_tool_in_a_thread_does_no_more_after_its_cancellation(bench, tmp_path) -> None:
    @tool
    def sleep(a: int) -> int:
        """Sleep, where no process finds it."""
        import time  # noqa: PLC0415 -- as a tool's author does

        (tmp_path / "begun").touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.05)
        (tmp_path / "effect").touch()
        return a

    made = bench(agent_with(sleep), ScriptedModel(script=[call("sleep", a=1)]), cached=100)
    async with made.worker():
        handle = await made.start("sleep")
        await until((tmp_path / "begun").exists)
        await cancelled(handle)
        (tmp_path / "go").touch()

    assert not (tmp_path / "effect").exists()


# Workers that die


async def worker_process(stack: Stack, queue: str, agent: str) -> asyncio.subprocess.Process:
    given = [stack.addresses.temporal_address, queue, agent]
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.integration.isolating", *given)


async def start(client: Client, queue: str, given: str) -> Any:
    return await client.start_workflow(
        AGENT_WORKFLOW,
        {"agent": "isolated", "input": given},
        id=f"{queue}-{uuid.uuid4().hex[:8]}",
        task_queue=queue,
        execution_timeout=5 * PATIENCE,
    )


async def test_a_worker_that_is_killed_leaves_no_process_of_its_tools(client: Client, stack: Stack, tmp_path) -> None:
    queue = f"orphans-{uuid.uuid4().hex[:8]}"
    worker = await worker_process(stack, queue, "agent")
    handle = await start(client, queue, f"hang folder={tmp_path} name=hang")
    await until((tmp_path / "hang").exists)
    pids = [*pids_in(tmp_path), int(Path(f"/proc/{pids_in(tmp_path)[0]}/stat").read_text().split()[3])]
    assert all(map(is_alive, pids))

    os.kill(worker.pid, signal.SIGKILL)
    await worker.wait()

    await until(lambda: not any(map(is_alive, pids)))
    assert not (tmp_path / "hang-effect").exists()
    await handle.terminate()


async def test_a_tool_that_ends_three_workers_fails_its_run_and_others_complete(
    client: Client, stack: Stack, tmp_path
) -> None:
    queue = f"deaths-{uuid.uuid4().hex[:8]}"
    workers = [await worker_process(stack, queue, "asynchronous") for _ in range(2)]
    handle = await start(client, queue, f"die_in_the_worker folder={tmp_path}")
    for death in (1, 2, 3):
        await until((tmp_path / f"died-{death}").exists)
        workers.append(await worker_process(stack, queue, "asynchronous"))
    neighbour = await start(client, queue, "shout text=hello")
    result = await neighbour.result()
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    for worker in workers:
        if worker.returncode is None:
            worker.terminate()
        await worker.wait()

    assert result["output"] == "done: HELLO"
    assert caught.value.cause.type == "WorkerLost"
    assert "The worker that ran 'die_in_the_worker' died or went silent" in caught.value.cause.message
    assert sorted(file.name for file in tmp_path.glob("died-*")) == ["died-1", "died-2", "died-3"]
    graphs = Graphs.of(Registry.of([asynchronous]), lambda _name: "obedient")
    await replay_strictly(await handle.fetch_history(), graphs)
