"""Graphs and functional tasks that tools run in their activities are parts of the graph around them."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.func import task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from agents import Agent, Resources
from agents.testing import ScriptedModel, call, run_live
from tests.integration.cases import agent_with
from tests.integration.test_agent_workflow import questions_of


class Path(TypedDict):
    path: Annotated[list[Any], operator.add]


# Questions


@tool
async def consult(about: str) -> str:
    """Ask before and after a graph does."""
    return await consulted(interrupt(f"Before {about}?"))


@tool
def consult_at_once(about: str) -> str:
    """The same in a thread."""
    return asyncio.run(consulted(interrupt(f"Before {about}?")))


async def consulted(before: str) -> str:
    def ask(_state: Path) -> Any:
        return {"path": [interrupt("First?"), interrupt("Second?")]}

    graph = StateGraph(Path).add_node("ask", ask).add_edge(START, "ask").compile()
    state = await graph.ainvoke({"path": [before]})
    return ", ".join([*state["path"], interrupt("After?")])


@pytest.mark.parametrize("asks", [consult, consult_at_once])
async def test_a_graph_that_a_tool_runs_may_ask_too(bench, asks) -> None:
    made = bench(agent_with(asks), ScriptedModel(script=[call(asks.name, about="it"), AIMessage("Done.")]))

    async with made.worker():
        handle = await made.start("please")
        asked = []
        for answer in "abcd":
            [question] = await questions_of(handle)
            asked.append((question["tool"], question["value"]))
            await handle.execute_update("answer", args=[question["id"], answer])
        await handle.result()
        state = await handle.query("state")
    await made.replayed(handle)

    assert asked == [(asks.name, value) for value in ("Before it?", "First?", "Second?", "After?")]
    assert state["values"]["messages"][2]["content"] == "a, b, c, d"


# Commands


@tool
async def leave(word: str) -> str:
    """Run a graph that leaves for a node around the tools."""
    said = [AIMessage(word, id="said")]
    graph = StateGraph(Path).add_edge(START, "leave")
    graph.add_node("leave", lambda _: Command(graph=Command.PARENT, goto="end", update={"messages": said}))
    await graph.compile().ainvoke({"path": []})
    return "never"


def leaving(resources: Resources) -> Any:
    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await resources.model().bind_tools(resources.tools).ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("ask", ask).add_node("tools", ToolNode(resources.tools))
    graph.add_node("end", lambda state: {"messages": [("ai", f"{len(state['messages'])} before")]})
    return graph.add_edge(START, "ask").add_edge("ask", "tools")


async def test_a_command_to_the_parent_reaches_the_graph_that_called_the_tool(bench) -> None:
    model = ScriptedModel(script=[call("leave", word="bye")])
    agent = Agent("leaving", leaving, tools=[leave])

    result, _ = await bench(agent, model).run("please")

    state = await run_live(agent, "please", model=model)
    assert [message.text for message in state["messages"]][2:] == ["bye", "3 before"]
    assert result["output"] == "3 before"


# Functional tasks


@task
def double(number: int) -> int:
    return number * 2


@task
async def triple(number: int) -> int:
    return number * 3


@tool
async def reckon(number: int) -> list[int]:
    """Reckon by tasks."""
    return [await double(number), *(await asyncio.gather(triple(number), triple(number + 1)))]


@tool
def reckon_at_once(number: int) -> list[int]:
    """The same in a thread."""
    futures = [double(number), triple(number), triple(number + 1)]
    return [future.result() for future in futures]


@pytest.mark.parametrize("reckons", [reckon, reckon_at_once])
async def test_a_tool_may_call_functional_tasks(bench, reckons) -> None:
    model = ScriptedModel(script=[call(reckons.name, number=2), AIMessage("Done.")])
    made = bench(agent_with(reckons), model)

    async with made.worker():
        handle = await made.start("please")
        await handle.result()
        state = await handle.query("state")
    await made.replayed(handle)

    plain = await run_live(agent_with(reckons), "please", model=model)
    assert state["values"]["messages"][2]["content"] == plain["messages"][2].content == "[4, 6, 9]"
