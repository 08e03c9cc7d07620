"""Two workers of one process serve agents of the same names, made by other code, at once."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from agents import Agent, Resources
from agents.testing import ScriptedModel, call
from tests.integration.conftest import steps


def of(city: str) -> Agent:
    """Tool, node and child are named alike everywhere, and tell where they come from."""

    @tool
    def where() -> str:
        """Say where."""
        return city

    def build(resources: Resources) -> Any:
        async def ask(_state: MessagesState) -> Any:
            told = await resources.tools[0].ainvoke(call("where").tool_calls[0])
            answer = await resources.model().ainvoke("where?")
            helped = await resources.agent("helper").ainvoke("where?")
            return {"messages": [("ai", f"{told.text} {answer.text} {helped}")]}

        def place(_state: MessagesState) -> Any:
            return {"messages": [("ai", f"in {city}")]}

        graph = StateGraph(MessagesState)
        graph.add_node("place", place, metadata={"execute_in": "activity"})
        graph.add_node("ask", ask)
        graph.add_edge(START, "place")
        graph.add_edge("place", "ask")
        return graph

    return Agent("guide", build, tools=[where])


def helper(city: str) -> Agent:
    def build(_resources: Resources) -> Any:
        return (
            StateGraph(MessagesState)
            .add_node("help", lambda _state: {"messages": [("ai", city)]})
            .set_entry_point("help")
        )

    return Agent("helper", build)


async def test_each_run_is_done_by_the_agents_of_its_own_worker(bench, cached_workflows) -> None:
    cities = ("Ulm", "Bonn")
    made = {
        city: bench(of(city), ScriptedModel(script=[AIMessage(city)]), cached=cached_workflows, others=[helper(city)])
        for city in cities
    }

    async with made["Ulm"].worker(), made["Bonn"].worker():
        handles = [(city, await made[city].start("x")) for city in cities * 3]
        results = await asyncio.gather(*(handle.result() for _, handle in handles))

    for (city, handle), result in zip(handles, results, strict=True):
        assert result["output"] == f"{city} {city} {city}"
        history = await made[city].replayed(handle)
        assert steps(history) == ["guide.place", "where", "call_model"]
