"""Code that changes while runs are under way: the run waits for the code it began with, and is never failed for it."""

from __future__ import annotations

import asyncio
import operator
from dataclasses import replace
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from agents import Agent, Resources
from agents.testing import ScriptedModel
from tests.integration.cases import add, multiply
from tests.integration.conftest import PATIENCE
from tests.integration.test_agent_workflow import questions_of

SILENT = ScriptedModel(script=[])


class Sums(TypedDict):
    numbers: Annotated[list[int], operator.add]


def summing(tool: int) -> Agent:
    """Calls one of two tools, asks a person, and calls it again."""

    def build(resources: Resources) -> Any:
        async def calculate(_state: Sums) -> dict[str, Any]:
            return {"numbers": [await resources.tools[tool].ainvoke({"a": 2, "b": 3})]}

        graph = StateGraph(Sums)
        graph.add_node("first", calculate)
        graph.add_node("ask", lambda _state: {"numbers": [interrupt("Which number?")]})
        graph.add_node("last", calculate)
        graph.add_edge(START, "first")
        graph.add_edge("first", "ask")
        graph.add_edge("ask", "last")
        return graph

    return Agent("summing", build, tools=[add, multiply])


async def task_failed(handle: WorkflowHandle[Any, Any]) -> WorkflowTaskFailedCause.ValueType:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while True:
            async for event in handle.fetch_history_events():
                if event.HasField("workflow_task_failed_event_attributes"):
                    return event.workflow_task_failed_event_attributes.cause
            await asyncio.sleep(0.1)


async def test_a_run_under_way_waits_for_its_code_and_then_completes(bench) -> None:
    made = bench(summing(0), SILENT)
    changed = replace(made, agent=summing(1))

    async with made.worker():
        handle = await made.start({"numbers": []})
        [question] = await questions_of(handle)
    async with changed.worker():
        answering = asyncio.create_task(handle.execute_update("answer", args=[question["id"], 7]))
        cause = await task_failed(handle)
        status = (await handle.describe()).status
    async with made.worker():
        await answering
        result = await handle.result()

    assert cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    assert status is WorkflowExecutionStatus.RUNNING
    assert result["output"]["numbers"] == [5, 7, 5]
    await made.replayed(handle)
