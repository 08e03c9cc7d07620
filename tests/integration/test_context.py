"""A run's context is the graph's: in nodes, in activities and in tools, and after an interrupt."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from langchain.tools import ToolRuntime, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from temporalio.client import WorkflowFailureError

from agents import Agent, Resources
from agents.testing import ScriptedModel, call
from tests.integration.conftest import PATIENCE
from tests.integration.test_agent_workflow import questions_of
from workflows.contracts import AGENT_WORKFLOW


@dataclass
class Context:
    user: str
    floor: int = 1


@tool
def who(runtime: ToolRuntime[Context]) -> str:
    """Say who asks."""
    return f"{runtime.context.user} in a tool"


def look(_state: MessagesState, runtime: Runtime[Context]) -> Any:
    return {"messages": [f"{runtime.context.user} on floor {runtime.context.floor}"]}


def ask(_state: MessagesState) -> Any:
    return {"messages": [call("who")]}


def confirm(state: MessagesState, runtime: Runtime[Context]) -> Any:
    told = [f"{interrupt('Sure?')}, {runtime.context.user}", *(message.text for message in state["messages"])]
    return {"messages": [("ai", " | ".join(filter(None, told)))]}


def build(resources: Resources) -> Any:
    graph = StateGraph(MessagesState, context_schema=Context)
    graph.add_node("look", look)
    graph.add_node("look_outside", look, metadata={"execute_in": "activity"})
    graph.add_node("ask", ask)
    graph.add_node("tools", ToolNode(resources.tools))
    graph.add_node("confirm", confirm)
    for before, after in zip([START, *graph.nodes], [*graph.nodes], strict=False):
        graph.add_edge(before, after)
    return graph


async def start(made: Any, context: Any) -> Any:
    return await made.client.start_workflow(
        AGENT_WORKFLOW,
        {"agent": "asked", "input": [], "context": context},
        id=f"context-{uuid.uuid4().hex[:8]}",
        task_queue=made.settings.task_queue,
        execution_timeout=PATIENCE,
    )


async def test_the_context_is_there_wherever_the_graph_runs(bench, cached_workflows) -> None:
    agent = Agent("asked", build, tools=[who], types=[Context])
    made = bench(agent, ScriptedModel(script=[]), cached=cached_workflows)

    async with made.worker():
        handle = await start(made, {"user": "Ada"})
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], "yes"])
        result = await handle.result()
    await made.replayed(handle)

    assert result["output"] == "yes, Ada | Ada on floor 1 | Ada on floor 1 | Ada in a tool"


async def test_a_context_that_does_not_fit_fails_the_run(bench) -> None:
    made = bench(Agent("asked", build, tools=[who]), ScriptedModel(script=[]))

    async with made.worker():
        handle = await start(made, {"name": "Ada"})
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()

    assert "unexpected keyword argument 'name'" in caught.value.cause.message
