"""Agents that call agents: each is a workflow of its own, and the answer is that of plain LangGraph."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError

from agents import Agent, Resources
from agents.testing import ScriptedModel, call, run_live
from temporal.replay import replay_strictly
from tests.integration.cases import add, confirm
from tests.integration.conftest import steps
from tests.integration.test_agent_workflow import failure_of, questions_of

SCRIPT = [call("add", a=1, b=2), AIMessage("It is 3.")]


class Desk(TypedDict):
    question: str
    answers: list[str]


def asking(agent: str, times: int = 1) -> Agent:
    """A graph that calls another agent from a node."""

    def build(resources: Resources) -> Any:
        async def ask(state: Desk) -> dict[str, Any]:
            return {"answers": [await resources.agent(agent).ainvoke(state["question"]) for _ in range(times)]}

        return StateGraph(Desk).add_node("ask", ask).add_edge(START, "ask")

    return Agent("desk", build)


def worker(*tools: Any) -> Agent:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools)

    return Agent("worker", build, tools=tools)


async def children(made: Any, parent: str) -> list[Any]:
    handles = [
        made.client.get_workflow_handle(
            event.child_workflow_execution_started_event_attributes.workflow_execution.workflow_id
        )
        for event in (await made.client.get_workflow_handle(parent).fetch_history()).events
        if event.HasField("child_workflow_execution_started_event_attributes")
    ]
    return [(handle, await handle.describe()) for handle in handles]


async def test_an_agent_called_by_an_agent_is_a_workflow_of_its_own(bench, cached_workflows) -> None:
    model = ScriptedModel(script=SCRIPT)
    desk, other = asking("worker", times=2), worker(add)
    made = bench(desk, model, cached=cached_workflows, others=[other])
    given = {"question": "What is 1 + 2?", "answers": []}

    result, history = await made.run(given)

    assert result["output"] == await run_live(desk, given, model=model, agents=[other])
    assert result["usage"]["model_calls"] == 4
    assert steps(history) == []
    called = await children(made, history.workflow_id)
    assert len(called) == 2
    for handle, _ in called:
        child = await handle.fetch_history()
        assert child.workflow_id.startswith(f"{history.workflow_id}/worker-")
        assert steps(child) == ["call_model", "add", "call_model"]
        await replay_strictly(child, made.graphs)


async def test_a_child_that_fails_fails_its_parent_and_says_why(bench) -> None:
    @tool
    def divide() -> float:
        """Divide by nothing."""
        return 1 / 0

    made = bench(asking("worker"), ScriptedModel(script=[call("divide")]), others=[worker(divide)])

    error = await failure_of(made, {"question": "?", "answers": []})

    assert error.type == "AgentFailed"
    assert error.message.startswith("Agent 'worker' failed as desk-")
    assert "ZeroDivisionError: division by zero" in error.message


async def test_an_agent_that_nobody_knows_is_named(bench) -> None:
    error = await failure_of(bench(asking("wroker"), ScriptedModel(script=[])), {"question": "?", "answers": []})

    assert "Unknown agent 'wroker'" in error.message


async def test_a_child_is_cancelled_with_its_parent(bench) -> None:
    made = bench(asking("worker"), ScriptedModel(script=[call("confirm", action="refund")]), others=[worker(confirm)])

    async with made.worker():
        handle = await made.start({"question": "?", "answers": []})
        while not (called := await children(made, handle.id)):
            pass
        [(child, _)] = called
        await questions_of(child)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        description = await child.describe()

    assert description.status == WorkflowExecutionStatus.CANCELED
    assert isinstance(caught.value.cause, CancelledError)


async def test_no_child_begins_in_a_cancelled_run(bench) -> None:
    def build(resources: Resources) -> Any:
        async def ask(state: Desk) -> dict[str, Any]:
            with suppress(asyncio.CancelledError):
                await resources.agent("worker").ainvoke(state["question"])
            return {"answers": [await resources.agent("worker").ainvoke("And now?")]}

        return StateGraph(Desk).add_node("ask", ask).add_edge(START, "ask")

    script = [call("confirm", action="refund")]
    made = bench(Agent("desk", build), ScriptedModel(script=script), others=[worker(confirm)])

    async with made.worker():
        handle = await made.start({"question": "?", "answers": []})
        while not (called := await children(made, handle.id)):
            pass
        await questions_of(called[0][0])
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()

    assert isinstance(caught.value.cause, CancelledError)
    assert len(await children(made, handle.id)) == 1


async def test_a_child_asks_by_itself(bench) -> None:
    script = [call("confirm", action="refund"), AIMessage("Refunded.")]
    made = bench(asking("worker"), ScriptedModel(script=script), others=[worker(confirm)])

    async with made.worker():
        handle = await made.start({"question": "?", "answers": []})
        while not (called := await children(made, handle.id)):
            pass
        [(child, _)] = called
        [question] = await questions_of(child)
        await child.execute_update("answer", args=[question["id"], "yes"])
        result = await handle.result()

    assert result["output"]["answers"] == ["Refunded."]
    assert question["value"] == {"confirm": "refund"}
