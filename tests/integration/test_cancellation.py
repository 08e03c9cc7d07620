"""A cancelled run leaves nothing alive, and nothing begins after it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from pydantic import Field
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError

from agents import Agent, Resources
from agents.testing import ScriptedModel, call
from tests.integration.cases import agent_with
from tests.integration.conftest import PATIENCE, steps
from tests.integration.test_agent_workflow import GREETING
from workflows.window import WINDOW

EMPTY = {"done": []}


async def cancelled(handle: WorkflowHandle[Any, Any]) -> None:
    """Cancels the run, and returns when it is over."""
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            await handle.result()
    assert isinstance(caught.value.cause, CancelledError)


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while not condition():
            await asyncio.sleep(0.02)


def calling(node: Any, *tools: Any) -> Agent:
    def build(resources: Resources) -> Any:
        async def run(state: Any) -> Any:
            return await node(resources.tools, state)

        return StateGraph(dict).add_node("node", run).add_edge(START, "node")

    return Agent("calling", build, tools=tools)


async def test_no_step_that_waits_begins_after_a_cancelled_run(bench) -> None:
    begun: list[int] = []

    @tool
    async def stay(number: int) -> int:
        """Stay."""
        begun.append(number)
        if number < 550:
            await asyncio.Event().wait()
        return number

    async def fan_out(tools: Any, state: Any) -> Any:
        return {"done": await asyncio.gather(*[tools[0].ainvoke({"number": number}) for number in state["numbers"]])}

    made = bench(calling(fan_out, stay), GREETING, cached=100)
    async with made.worker():
        handle = await made.start({"numbers": list(range(550))})
        await until(lambda: len(begun) >= 100)
        await cancelled(handle)
        before = list(begun)
        after = await (await made.start({"numbers": list(range(550, 700))})).result()

    assert after["output"]["done"] == list(range(550, 700))
    assert sorted(begun) == sorted([*before, *range(550, 700)])
    assert len(before) < 550


async def test_a_node_that_swallows_its_cancellation_starts_nothing_more(bench) -> None:
    begun: list[str] = []

    @tool
    async def step(name: str) -> str:
        """Step."""
        begun.append(name)
        if name == "first":
            await asyncio.Event().wait()
        return name

    async def stubborn(tools: Any, _state: Any) -> Any:
        with suppress(asyncio.CancelledError):
            await tools[0].ainvoke({"name": "first"})
        return {"done": [await tools[0].ainvoke({"name": "second"})]}

    made = bench(calling(stubborn, step), GREETING)
    async with made.worker():
        handle = await made.start(EMPTY)
        await until(lambda: begun)
        await cancelled(handle)

    assert begun == ["first"]


async def test_a_step_that_is_cancelled_before_it_is_sent_is_no_difference_on_replay(bench, cached_workflows) -> None:
    begun: list[str] = []

    @tool
    async def step(name: str) -> str:
        """Step."""
        begun.append(name)
        return name

    async def hasty(tools: Any, _state: Any) -> Any:
        first = asyncio.ensure_future(tools[0].ainvoke({"name": "first"}))
        while not WINDOW.get()._steps:
            await asyncio.sleep(0)
        first.cancel()
        return {"done": [await tools[0].ainvoke({"name": "second"})]}

    made = bench(calling(hasty, step), GREETING, cached=cached_workflows)

    result, history = await made.run(EMPTY)

    assert result["output"]["done"] == begun == ["second"]
    assert steps(history) == ["step"]


class Thinking(ScriptedModel):
    """Never says a word."""

    script: list[AIMessage] = Field(default_factory=list)
    begun: asyncio.Event = Field(default_factory=asyncio.Event)
    ended: asyncio.Event = Field(default_factory=asyncio.Event)

    async def _astream(self, *_given: Any, **_options: Any) -> AsyncIterator[ChatGenerationChunk]:
        self.begun.set()
        try:
            await asyncio.Event().wait()
            yield ChatGenerationChunk(message=AIMessageChunk("never"))
        finally:
            self.ended.set()


async def test_a_cancellation_reaches_a_model_that_thinks(bench) -> None:
    model = Thinking()
    made = bench(agent_with(), model)

    async with made.worker():
        handle = await made.start("think")
        await model.begun.wait()
        await cancelled(handle)
        assert model.ended.is_set()


async def test_a_cancellation_reaches_a_node_that_is_an_activity(bench) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(_state: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    def build(_resources: Resources) -> Any:
        graph = StateGraph(dict).add_node("wait", wait, metadata={"execute_in": "activity"})
        return graph.add_edge(START, "wait")

    made = bench(Agent("waiting", build), GREETING)
    async with made.worker():
        handle = await made.start(EMPTY)
        await begun.wait()
        await cancelled(handle)
        assert ended.is_set()


async def test_a_synchronous_node_that_is_an_activity_does_no_more_when_it_was_cancelled(bench, tmp_path) -> None:
    def wait(_state: Any) -> Any:
        (tmp_path / threading.current_thread().name).touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.05)
        (tmp_path / "effect").touch()

    def build(_resources: Resources) -> Any:
        graph = StateGraph(dict).add_node("wait", wait, metadata={"execute_in": "activity"})
        return graph.add_edge(START, "wait")

    made = bench(Agent("waiting", build), GREETING)
    async with made.worker():
        handle = await made.start(EMPTY)
        await until((tmp_path / "perdure-node").exists)
        await cancelled(handle)
        (tmp_path / "go").touch()

    assert not (tmp_path / "effect").exists()


async def test_a_run_is_cancelled_when_its_steps_are(bench) -> None:
    begun, cleaned = asyncio.Event(), asyncio.Event()

    @tool
    async def wait() -> str:
        """Wait."""
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.2)
            cleaned.set()
        return "never"

    made = bench(agent_with(wait), ScriptedModel(script=[call("wait")]))
    async with made.worker():
        handle = await made.start("wait")
        await begun.wait()
        await cancelled(handle)
        assert cleaned.is_set()

    kinds = [event.event_type for event in (await handle.fetch_history()).events]
    step, run = EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
    assert kinds.index(step) < kinds.index(run)
    await made.replayed(handle)
