"""The command line as users call it: a process of its own, on real servers, with a real worker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from temporal.dev.process import Command
from temporal.dev.stack import Stack

PATIENCE = 120.0
HANDBOOK = """\
# Durable timers

A durable timer is kept by the server, so it fires though every worker was restarted in the meantime.

# Task queues

A task queue is polled by workers, and holds a task until one of them takes it.
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Terminal:
    """Calls `perdure`, and other programs, in an environment that knows the stack."""

    environment: dict[str, str]

    async def start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *arguments,
            env={**self.environment, **more},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def perdure(self, *arguments: str, **more: str) -> Ended:
        return await ended(await self.start(sys.executable, "-m", "temporal.cli", *arguments, **more))


async def ended(process: asyncio.subprocess.Process) -> Ended:
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def line_with(stream: asyncio.StreamReader | None, words: str) -> str:
    assert stream is not None
    async with asyncio.timeout(PATIENCE):
        async for line in stream:
            if words in line.decode():
                return line.decode()
    raise AssertionError(f"No line with {words!r}")


@pytest.fixture(scope="module")
async def terminal(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Terminal]:
    """With a worker, and a collection `docs` of one small handbook."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PERDURE_", "TEMPORAL_"))}
    keyless = {name: value for name, value in plain.items() if not name.endswith("_API_KEY")}
    made = Terminal({**keyless, "PERDURE_STATE": str(stack.addresses.state), "PERDURE_TASK_QUEUE": "acceptance"})
    folder = tmp_path_factory.mktemp("handbook")
    (folder / "handbook.md").write_text(HANDBOOK)
    worker = await stack.start(
        Command(
            name="worker",
            arguments=(sys.executable, "-m", "temporal.cli", "worker"),
            environment=made.environment,
            log=stack.addresses.state / "logs" / "acceptance-worker.log",
        )
    )
    ingested = await made.perdure("ingest", str(folder))
    assert ingested.code == 0, ingested.err
    yield made
    await worker.stop()


async def test_a_run_shows_its_steps_its_answer_its_citations_and_its_cost(terminal):
    run = await terminal.perdure("run", "research", "What keeps a durable timer?")

    assert run.code == 0, run.err
    assert "✓ call_model · extractive" in run.err
    assert "A durable timer is kept by the server" in run.out
    assert "Citations\n[1] " in run.out
    assert "Cost: 2 model calls" in run.out
    assert "Web UI: http://127.0.0.1:" in run.out


async def test_with_json_the_result_alone_is_printed(terminal):
    run = await terminal.perdure("run", "research", "What keeps a durable timer?", "--json")

    result = json.loads(run.out)
    assert (run.code, run.err, result["agent"]) == (0, "", "research")
    assert result["citations"][0]["quote"] in HANDBOOK


async def test_a_run_that_was_detached_is_found_again(terminal):
    started = await terminal.perdure("run", "research", "What holds a task?", "--detach")

    result = await terminal.perdure("result", started.out.strip(), "--json")

    assert f"perdure result {started.out.strip()}" in started.err
    assert "A task queue is polled by workers" in json.loads(result.out)["output"]


async def test_the_temporal_command_starts_a_run_with_plain_json(terminal, stack):
    binary = str(Path(sys.executable).with_name("temporal"))
    given = json.dumps({"agent": "research", "input": "What holds a task?"})
    options = ("--type", "AgentWorkflow", "--task-queue", "acceptance", "--workflow-id", "by-hand", "--input", given)
    address = ("--address", stack.addresses.temporal_address)
    started = await ended(await terminal.start(binary, "workflow", "start", *options, *address))

    result = await terminal.perdure("result", "by-hand", "--json")

    assert started.code == 0, started.err
    assert "A task queue is polled by workers" in json.loads(result.out)["output"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "reserch", "What?"), "Unknown agent 'reserch'. Known: 'research', 'support'."),
        (("run", "research", "  "), "The question for agent 'research' is empty."),
        (("run", "research", "{", "--json-input"), "The input is no JSON"),
        (("result", "nobody-1"), "There is no run 'nobody-1'"),
        (("ingest", "/not/there"), "There is no folder '/not/there'"),
    ],
)
async def test_a_mistake_is_told_in_a_line_or_two(terminal, arguments, words):
    failed = await terminal.perdure(*arguments)

    assert (failed.code, words in failed.err, "Traceback" in failed.err) == (2, True, False)


async def test_a_server_that_is_not_there_is_told(terminal):
    failed = await terminal.perdure("run", "research", "What?", TEMPORAL_ADDRESS="127.0.0.1:9")

    assert (failed.code, failed.err.startswith("No Temporal server answers at 127.0.0.1:9")) == (1, True)


async def test_a_state_folder_in_use_is_told(terminal):
    failed = await terminal.perdure("dev")

    assert (failed.code, "Another stack lives in" in failed.err) == (1, True)


async def test_the_doctor_finds_everything_in_order(terminal):
    examined = await terminal.perdure("doctor", COLUMNS="200")

    assert examined.code == 0, examined.out
    assert "embedder lexical" in examined.out


async def test_the_installed_agents_are_listed(terminal):
    listed = await terminal.perdure("agents")

    assert listed.out.startswith("research\n")


async def test_a_run_without_a_worker_says_so_and_outlives_its_watcher(terminal):
    command = (sys.executable, "-m", "temporal.cli", "run", "research", "What?", "--id", "unwatched")
    watcher = await terminal.start(*command, PERDURE_TASK_QUEUE="nobody-polls-this")
    await line_with(watcher.stderr, "No worker of task queue 'nobody-polls-this' takes up the run")

    watcher.send_signal(signal.SIGINT)

    left = await ended(watcher)
    assert (left.code, left.err) == (130, "Run 'unwatched' goes on. Come back with `perdure result unwatched`.\n")


async def test_dev_stops_everything_within_five_seconds_of_ctrl_c(terminal, tmp_path):
    dev = await terminal.start(sys.executable, "-m", "temporal.cli", "dev", PERDURE_STATE=str(tmp_path))
    await line_with(dev.stderr, "Ctrl-C stops everything.")

    dev.send_signal(signal.SIGINT)

    async with asyncio.timeout(5):  # the promise itself
        assert (await ended(dev)).code == 0


async def test_dev_tells_the_end_of_a_worker_that_crashed(terminal, tmp_path):
    dev = await terminal.start(sys.executable, "-m", "temporal.cli", "dev", PERDURE_STATE=str(tmp_path))
    line = await line_with(dev.stderr, "Worker     pid ")

    os.kill(int(line.split()[2].rstrip(",")), signal.SIGKILL)

    crashed = await ended(dev)
    assert (crashed.code, "was killed by SIGKILL" in crashed.err) == (1, True)


@pytest.mark.timeout(600)
async def test_the_demo_survives_the_kill_of_its_worker_and_repeats_nothing(terminal, tmp_path):
    question = "How is an activity notified that it was cancelled?"
    demo = await terminal.start(
        sys.executable, "-m", "temporal.cli", "demo", "--crash", question, PERDURE_STATE=str(tmp_path)
    )
    async with asyncio.timeout(500):
        out, err = await demo.communicate()

    assert demo.returncode == 0, err.decode()
    assert "with kill -9" in err.decode()
    assert "✓ call_model · extractive: done before the kill, not repeated" in err.decode()
    assert "heartbeat" in out.decode()
    assert "Citations" in out.decode()


async def test_the_storage_says_what_it_holds_and_gives_back_what_is_gone(served):
    started = await served.call("perdure", "run", "research", "-", "--json", given="timers " * 30_000)
    held = await served.call("perdure", "storage", "usage")
    collected = await served.call("perdure", "storage", "gc", "--dry-run", "--closed-for", "0s")

    assert started.code == 0, started.errors
    assert " holds " in held.output
    assert "nothing" not in held.output
    assert collected.output.startswith("Would remove nothing. Kept ")


async def test_an_age_that_is_none_is_refused(place):
    finished = await place.call("perdure", "storage", "gc", "--closed-for", "a month")

    assert finished.code == 2
    assert "'a month' is no age" in finished.errors
