"""Runs as a client sees them: started, watched step by step, waited for."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from agents import StepOptions, durable
from agents.testing import ScriptedModel, call
from temporal.client import Agents, RunExists, UnknownRun
from temporal.logs import configure_logging
from temporal.outcome import RunFailed
from temporal.progress import watch_steps
from temporal.settings import LogSettings
from temporal.target import Target
from tests.integration.cases import add, agent_with
from tests.integration.conftest import Bench

ADDING = ScriptedModel(script=[call("add", a=1, b=2), AIMessage("3")])


def agents_of(bench: Bench) -> Agents:
    return Agents(bench.client, Target("test", "default", "a test", ui_url="http://ui"), bench.settings.task_queue)


async def test_the_steps_of_a_run_are_seen_as_they_begin_and_end(bench):
    made = bench(agent_with(add), ADDING)

    async with made.worker():
        run = await agents_of(made).start("worker", "1 + 2?")
        seen = [(step.activity, step.state) async for step in run.steps()]

    assert seen == [
        ("call_model", "scheduled"),
        ("call_model", "completed"),
        ("add", "scheduled"),
        ("add", "completed"),
        ("call_model", "scheduled"),
        ("call_model", "completed"),
    ]


async def test_a_step_says_what_it_is_about_and_how_long_it_took(bench):
    made = bench(agent_with(add), ADDING)

    async with made.worker():
        run = await agents_of(made).start("worker", "1 + 2?")
        steps = {(step.activity, step.state): step async for step in run.steps()}

    done = steps["add", "completed"]
    assert done.summary == "a=1, b=2"
    assert done.seconds is not None


async def test_a_run_that_is_over_can_be_watched_from_its_beginning(bench):
    made = bench(agent_with(add), ADDING)
    async with made.worker():
        run = await agents_of(made).start("worker", "1 + 2?")
        await run.result()

    found = await agents_of(made).find(run.id)

    assert len([step async for step in found.steps()]) == 6
    assert (await found.result()).output == "3"


async def test_a_step_that_is_tried_again_is_seen_with_its_attempt_and_reason(bench):
    attempts: list[int] = []

    @durable(effect="read")
    @tool
    def flaky(a: int) -> int:
        """Fails once."""
        attempts.append(a)
        if len(attempts) == 1:
            raise OSError("the disk was busy")
        return a

    script = [call("flaky", a=1), AIMessage("1")]
    made = bench(agent_with(flaky), ScriptedModel(script=script))

    async with made.worker():
        run = await agents_of(made).start("worker", "Try.")
        steps = [step async for step in run.steps() if step.activity == "flaky"]

    assert (steps[-1].state, steps[-1].attempt) == ("completed", 2)


async def test_a_run_that_no_worker_takes_up_is_told_from_one_at_work(bench):
    made = bench(agent_with(add), ADDING)
    run = await agents_of(made).start("worker", "1 + 2?")

    waited = await run.waits_for_worker()
    async with made.worker():
        await run.result()

    assert (waited, await run.waits_for_worker()) == (True, False)


async def test_a_failed_run_is_told_with_its_error_and_what_to_do(bench):
    made = bench(agent_with(add), ADDING)

    async with made.worker():
        run = await agents_of(made).start("wroker", "1 + 2?")
        with pytest.raises(RunFailed, match="failed with UnknownAgent: Unknown agent 'wroker'") as failed:
            await run.result()

    assert failed.value.remedy == "`perdure agents` lists the agents that are installed."


async def test_an_id_is_used_once(bench):
    made = bench(agent_with(add), ADDING)
    agents = agents_of(made)
    async with made.worker():
        run = await agents.start("worker", "1 + 2?", run_id=f"mine-{uuid.uuid4().hex}")
        await run.result()

        with pytest.raises(RunExists, match=f"Follow it with `perdure result {run.id}`"):
            await agents.start("worker", "1 + 2?", run_id=run.id)


async def test_an_unknown_run_is_told_by_its_id(bench):
    made = bench(agent_with(add), ADDING)

    with pytest.raises(UnknownRun, match="There is no run 'nobody-1' in namespace 'default'"):
        await agents_of(made).find("nobody-1")


async def test_a_cancelled_run_cancels_the_tool_that_it_waits_for(bench):
    begun, ended = asyncio.Event(), asyncio.Event()

    @tool
    async def wait_for_ever(a: int) -> int:
        """Waits."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return a

    agent = replace(agent_with(wait_for_ever), tool_step=StepOptions(heartbeat=timedelta(seconds=1)))
    made = bench(agent, ScriptedModel(script=[call("wait_for_ever", a=1)]))
    async with made.worker():
        handle = await made.start("Wait.")
        await begun.wait()

        await handle.cancel()

        async with asyncio.timeout(30):
            await ended.wait()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging(LogSettings(), stream)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_a_run_is_logged_once_though_each_of_its_tasks_replays(bench, logged):
    made = bench(agent_with(add), ADDING, cached=0)

    await made.run("1 + 2?")

    records = [json.loads(line) for line in logged.getvalue().splitlines()]
    ours = [(record["event"], record["agent"]) for record in records if "agent" in record]
    assert ours == [
        ("run_started", "worker"),
        *[("step_finished", "worker")] * 3,
        ("run_finished", "worker"),
    ]


@activity.defn
async def count(number: int) -> int:
    return number + 1


@workflow.defn
class Counting:
    """Goes on as a new execution once."""

    @workflow.run
    async def run(self, number: int) -> int:
        counted: Any = await workflow.execute_activity(
            count, number, start_to_close_timeout=timedelta(seconds=10), summary=f"from {number}"
        )
        if counted < 2:
            workflow.continue_as_new(counted)
        return counted


async def test_watching_goes_on_where_a_run_continues_as_new(client: Client):
    queue = f"test-{uuid.uuid4().hex}"
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=queue, workflows=[Counting], activities=[count], workflow_runner=runner):
        handle = await client.start_workflow(Counting.run, 0, id=queue, task_queue=queue)

        seen = [step.summary async for step in watch_steps(client, handle.id) if step.is_over]

    assert seen == ["from 0", "from 1"]
