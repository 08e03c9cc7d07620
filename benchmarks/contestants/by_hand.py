"""The agent as one writes it for Temporal by hand: a loop in a workflow that calls the model and the tools."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from langchain_core.messages import HumanMessage, message_to_dict, messages_from_dict
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks.contestants.bare import sandbox
from benchmarks.job import TOOLS, model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMEOUT = timedelta(minutes=1)

MODEL = model().bind_tools(TOOLS)
TOOL = {tool.name: tool for tool in TOOLS}


@activity.defn
async def call_model(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return message_to_dict(await MODEL.ainvoke(messages_from_dict(messages)))


@activity.defn
async def call_tool(call: dict[str, Any]) -> dict[str, Any]:
    return message_to_dict(await TOOL[call["name"]].ainvoke(call))


@workflow.defn
class LoopWorkflow:
    @workflow.run
    async def run(self, question: str) -> str:
        messages = [message_to_dict(HumanMessage(question))]
        while True:
            answer = await workflow.execute_activity(call_model, messages, start_to_close_timeout=TIMEOUT)
            calls = [
                workflow.execute_activity(call_tool, call, start_to_close_timeout=TIMEOUT)
                for call in answer["data"]["tool_calls"]
            ]
            if not calls:
                return str(answer["data"]["content"])
            messages += [answer, *await asyncio.gather(*calls)]


@asynccontextmanager
async def opened(address: str, task_queue: str) -> AsyncIterator[None]:
    async with Worker(
        await Client.connect(address),
        task_queue=task_queue,
        workflows=[LoopWorkflow],
        activities=[call_model, call_tool],
        workflow_runner=sandbox(),
    ):
        yield
