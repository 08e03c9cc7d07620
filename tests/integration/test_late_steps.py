"""Steps that wait for their worker while the run is cancelled, or gives them up, change nothing any more."""

from __future__ import annotations

import asyncio
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError

from activities.late import IN_TIME
from agents import Agent, Resources, StepOptions, durable
from agents.testing import ScriptedModel, call
from temporal.dev.stack import Stack
from temporal.settings import Settings, WorkerSettings
from tests import isolated
from tests.integration.cases import agent_with
from tests.integration.conftest import Bench, steps
from tests.integration.isolating import Obedient
from tests.integration.paying import SCRIPT, paid
from tests.integration.test_agent_workflow import GREETING
from tests.integration.test_children import asking, children


@dataclass(frozen=True)
class Late:
    """A queue of steps that the workers of runs do not serve."""

    queue: str = field(default_factory=lambda: f"late-{uuid.uuid4().hex[:8]}")
    begun: list[str] = field(default_factory=list)

    @property
    def step(self) -> StepOptions:
        return StepOptions(task_queue=self.queue, attempts=3)

    def tool(self, **options: Any) -> Any:
        @durable(step=self.step, **options)
        @tool
        async def pay() -> str:
            """Pay."""
            self.begun.append("pay")
            return "paid"

        return pay

    def worker(self, made: Bench, **settings: Any) -> AbstractAsyncContextManager[Any]:
        """Takes steps alone, and no run."""
        here = Settings(task_queue=self.queue, worker=WorkerSettings(shutdown_seconds=0, **settings))
        worker: AbstractAsyncContextManager[Any] = replace(made, settings=here).worker()
        return worker


@pytest.fixture
def late() -> Late:
    return Late()


PAYING = ScriptedModel(script=[call("pay")])


async def scheduled(handle: WorkflowHandle[Any, Any], step: str) -> None:
    while step not in steps(await handle.fetch_history()):
        await asyncio.sleep(0.05)


async def late_by_now(handle: WorkflowHandle[Any, Any]) -> None:
    """What the run has scheduled so far."""
    *_, last = (await handle.fetch_history()).events
    while datetime.now(UTC) - last.event_time.ToDatetime(UTC) < IN_TIME:
        await asyncio.sleep(0.05)


async def refused(handle: WorkflowHandle[Any, Any]) -> None:
    """Until a step has failed, at its first attempt."""
    while "NotBegun" not in f"{(await handle.describe()).raw_description}{await handle.fetch_history()}":
        await asyncio.sleep(0.05)


async def end_of(handle: WorkflowHandle[Any, Any]) -> BaseException | None:
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    return failed.value.cause


async def cancelled(made: Bench, late: Late, step: str) -> WorkflowHandle[Any, Any]:
    """A run that ends so. It is cancelled, without a worker, while `step` waits, and the step's worker comes first."""
    async with made.worker():
        handle = await made.start("go")
        await scheduled(handle, step)
    await handle.cancel()
    await late_by_now(handle)
    async with late.worker(made):
        await refused(handle)
        async with made.worker():
            assert isinstance(await end_of(handle), CancelledError)
    return handle


@pytest.mark.parametrize("effect", ["at_most_once", "idempotent", "destructive"])
async def test_a_tool_does_not_begin_in_a_run_that_was_cancelled(bench, late, effect) -> None:
    made = bench(agent_with(late.tool(effect=effect, approve="never")), PAYING)

    handle = await cancelled(made, late, "pay")

    assert late.begun == []
    await made.replayed(handle)


async def test_a_tool_that_did_not_begin_leaves_nothing_to_undo(bench, late) -> None:
    made = bench(agent_with(late.tool(compensate=print)), PAYING)

    handle = await cancelled(made, late, "pay")

    assert steps(await made.replayed(handle)) == ["call_model", "pay"]


async def test_a_node_does_not_begin_in_a_run_that_was_cancelled(bench, late) -> None:
    async def act(_state: MessagesState) -> None:
        late.begun.append("act")

    def build(_resources: Resources) -> Any:
        there = {"execute_in": "activity", "task_queue": late.queue}
        return StateGraph(MessagesState).add_node("act", act, metadata=there).add_edge(START, "act")

    made = bench(Agent("acting", build), GREETING)

    handle = await cancelled(made, late, "acting.act")

    assert late.begun == []
    await made.replayed(handle)


async def test_nothing_is_stored_for_a_run_that_was_cancelled(bench, late) -> None:
    store = InMemoryStore()

    async def keep(_state: MessagesState, runtime: Runtime) -> None:
        await runtime.store.aput(("kept",), "it", {})

    def build(_resources: Resources) -> Any:
        return StateGraph(MessagesState).add_node("keep", keep).add_edge(START, "keep")

    agent = Agent("keeping", build, store_step=late.step)
    made = bench(agent, GREETING, store=lambda _types, _namespace: store)

    handle = await cancelled(made, late, "store")

    assert store.search(()) == []
    await made.replayed(handle)


async def test_a_tool_of_an_agent_does_not_begin_when_the_run_that_called_it_was_cancelled(bench, late) -> None:
    made = bench(asking("worker"), PAYING, others=[agent_with(late.tool())])

    async with made.worker():
        handle = await made.start({"question": "?", "answers": []})
        while not (called := await children(made, handle.id)):
            await asyncio.sleep(0.05)
        [(child, _)] = called
        await scheduled(child, "pay")
    await handle.cancel()
    await late_by_now(child)
    async with late.worker(made):
        await refused(child)
        async with made.worker():
            assert isinstance(await end_of(handle), CancelledError)

    assert late.begun == []


async def taken_up(handle: WorkflowHandle[Any, Any]) -> None:
    while "PENDING_ACTIVITY_STATE_STARTED" not in str((await handle.describe()).raw_description.pending_activities):
        await asyncio.sleep(0.05)


async def test_a_tool_that_waits_for_a_process_does_not_begin_in_a_run_that_was_cancelled(
    bench, late, tmp_path
) -> None:
    made = bench(replace(isolated.agent, tool_step=late.step, isolation={}), Obedient())

    async with late.worker(replace(made, agent=isolated.agent), tool_processes=1):
        async with made.worker():
            first = await made.start(f"hang folder={tmp_path} name=first")
            while not (tmp_path / "first").exists():
                await asyncio.sleep(0.05)
            second = await made.start(f"hang folder={tmp_path} name=second")
            await taken_up(second)
        await second.cancel()
        await late_by_now(second)
        (tmp_path / "go").touch()
        await refused(second)
        async with made.worker():
            assert isinstance(await end_of(second), CancelledError)
            await first.result()

    assert not (tmp_path / "second").exists()


@dataclass(frozen=True)
class Freezer:
    """A worker process of steps alone."""

    process: asyncio.subprocess.Process
    late: Late
    folder: Path

    @property
    def payments(self) -> int:
        return len(paid(self.folder, "undeclared"))

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def payer(self, heartbeat: timedelta, **options: Any) -> Agent:
        """The agent as the process knows it, with the way there."""

        @durable(step=replace(self.late.step, heartbeat=heartbeat), **options)
        @tool
        async def pay(amount: int) -> str:
            """Pay."""
            raise NotImplementedError(amount)

        return replace(agent_with(pay), name="undeclared")


@pytest.fixture
async def freezer(stack: Stack, late: Late, tmp_path: Path) -> AsyncIterator[Freezer]:
    (tmp_path / "go").touch()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.paying", stack.addresses.temporal_address, late.queue, str(tmp_path)
    )
    yield Freezer(process, late, tmp_path)
    process.kill()
    await process.wait()


async def test_a_worker_that_was_frozen_does_not_begin_what_its_run_has_given_up(bench, freezer) -> None:
    payer = freezer.payer(timedelta(seconds=1), when_unknown="tell_model")
    made = bench(payer, ScriptedModel(script=SCRIPT))

    async with made.worker():
        await (await made.start("go")).result()
        freezer.freeze()
        await (await made.start("go")).result()
        freezer.thaw()
        await (await made.start("go")).result()

    assert freezer.payments == 2


async def test_a_worker_that_was_frozen_does_not_begin_what_was_cancelled(bench, freezer) -> None:
    made = bench(freezer.payer(timedelta(minutes=1), compensate=print), ScriptedModel(script=SCRIPT))

    async with made.worker():
        await (await made.start("go")).result()
        freezer.freeze()
        handle = await made.start("go")
        await taken_up(handle)
        await handle.cancel()
        while "activity_task_cancel_requested_event_attributes" not in str(await handle.fetch_history()):
            await asyncio.sleep(0.05)
        await late_by_now(handle)
        freezer.thaw()
        assert isinstance(await end_of(handle), CancelledError)

    assert freezer.payments == 1
    await made.replayed(handle)
