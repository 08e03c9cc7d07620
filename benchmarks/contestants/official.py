"""Temporal's own plugin, `temporalio-langgraph`, in its default sandbox.

It runs whole nodes as activities and can't take `create_agent`, so here is the same loop of two nodes by hand.
"""

# No postponed annotations: LangGraph reads them, and the plugin takes a node's function as it stands.
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from langgraph.graph import END, START, MessagesState, StateGraph
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.langgraph import LangGraphPlugin
from temporalio.worker import Replayer, Worker

from benchmarks.chat import ChatModel, order_log
from benchmarks.contestants.official_workflow import OfficialChat, OfficialWorkflow
from benchmarks.job import TOOLS, model

MODEL = model().bind_tools(TOOLS)
CHAT_MODEL = ChatModel().bind_tools([order_log])
TOOLS_BY_NAME = {tool.name: tool for tool in [*TOOLS, order_log]}
OPTIONS = {"execute_in": "activity", "start_to_close_timeout": timedelta(minutes=1)}
WORKFLOWS = [OfficialWorkflow, OfficialChat]


async def call_model(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await MODEL.ainvoke(state["messages"])]}


async def call_chat_model(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await CHAT_MODEL.ainvoke(state["messages"])]}


async def call_tools(state: MessagesState) -> dict[str, Any]:
    # In an activity of the plugin the messages are dictionaries.
    answer: Any = state["messages"][-1]
    return {"messages": [await TOOLS_BY_NAME[call["name"]].ainvoke(call) for call in answer["tool_calls"]]}


async def after_model(state: MessagesState) -> str:
    return "tools" if getattr(state["messages"][-1], "tool_calls", None) else END


def loop(model_node: Any) -> StateGraph[Any, Any, Any, Any]:
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    graph.add_node("model", model_node, metadata=OPTIONS)
    graph.add_node("tools", call_tools, metadata=OPTIONS)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", after_model, ["tools", END])
    graph.add_edge("tools", "model")
    return graph


def plugin() -> LangGraphPlugin:
    return LangGraphPlugin(graphs={"orders": loop(call_model), "chat": loop(call_chat_model)})


@asynccontextmanager
async def opened(address: str, task_queue: str) -> AsyncIterator[None]:
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    async with Worker(client, task_queue=task_queue, workflows=WORKFLOWS, plugins=[plugin()]):
        yield


def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, plugins=[plugin()], data_converter=pydantic_data_converter)
