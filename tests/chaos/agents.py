"""Agents of every shape, which follow the plan that they are given."""

from __future__ import annotations

import asyncio
import json
import operator
import sys
import time
from datetime import timedelta
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Send, interrupt
from pydantic import Field

from agents import Agent, Resources, StepOptions
from agents.testing import ScriptedModel
from tests.chaos.ledger import note
from tests.chaos.tools import TOOLS, adwell, dwell, end

STEP = StepOptions(timeout=timedelta(seconds=6), heartbeat=timedelta(seconds=2), attempts=3)
IN_ACTIVITY = {
    "execute_in": "activity",
    "start_to_close_timeout": timedelta(seconds=6),
    "heartbeat_timeout": timedelta(seconds=2),
}


def _followed(messages: list[AnyMessage] | list[BaseMessage]) -> tuple[dict[str, Any], int]:
    """The plan of the last question, and how many answers there were since."""
    *_, asked = (place for place, message in enumerate(messages) if isinstance(message, HumanMessage))
    plan: dict[str, Any] = json.loads(messages[asked].text)
    return plan, sum(isinstance(message, AIMessage) for message in messages[asked:])


class Planned(ScriptedModel):
    script: list[AIMessage] = Field(default_factory=list)

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        plan, answered = _followed(messages)
        stage = plan["stages"][answered] if answered < len(plan["stages"]) else "ends"
        match stage:
            case "says nothing":
                return AIMessage("")
            case "calls badly":
                call = {"name": "reads", "args": "{", "id": "bad", "error": "no JSON", "type": "invalid_tool_call"}
                return AIMessage("", invalid_tool_calls=[call])
            case "breaks":
                raise RuntimeError("the model broke")
            case "exits":
                sys.exit(1)
            case "is slow":
                time.sleep(1)
            case "says much":
                return AIMessage("z" * 200_000)
            case list():
                calls = [{"name": call["tool"], "args": call["arguments"], "id": call["id"]} for call in stage]
                return AIMessage("", tool_calls=calls)
        return AIMessage("That was it.")


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    done: Annotated[list[str], operator.add]
    step: Annotated[int, operator.add]
    call: Any


def _plan(state: State) -> dict[str, Any]:
    return _followed(state["messages"])[0]


async def _called(resources: Resources, call: dict[str, Any]) -> dict[str, Any]:
    [tool] = (each for each in resources.tools if each.name == call["tool"])
    try:
        given = await tool.ainvoke(call["arguments"])
    except Exception as error:
        if call["raises"]:
            raise
        given = type(error).__name__
    return {"done": [str(given)[:50]]}


def _said(state: State) -> dict[str, Any]:
    return {"messages": [AIMessage(f"{len(state['done'])} are done.")]}


def react(resources: Resources) -> Any:
    return create_agent(resources.model(), resources.tools)


def fan(resources: Resources) -> Any:
    """All calls at once."""

    async def work(state: State) -> dict[str, Any]:
        return await _called(resources, state["call"])

    def spread(state: State) -> list[Send]:
        return [Send("work", {"call": call}) for call in _plan(state)["calls"]]

    graph = StateGraph(State)
    graph.add_node("work", work).add_node("say", _said)
    graph.add_conditional_edges(START, spread, ["work"])
    return graph.add_edge("work", "say").add_edge("say", END)


def loop(resources: Resources) -> Any:
    """A superstep for each call, so that runs continue as new. Some ask in place of calling."""

    async def work(state: State) -> dict[str, Any]:
        step = state.get("step", 0)
        call = _plan(state)["calls"][step]
        if call["asks"]:
            return {"done": [str(interrupt({"step": step}))], "step": 1}
        return {**await _called(resources, call), "step": 1}

    def again(state: State) -> str:
        return "work" if state["step"] < len(_plan(state)["calls"]) else "say"

    graph = StateGraph(State)
    graph.add_node("work", work).add_node("say", _said)
    graph.add_edge(START, "work").add_conditional_edges("work", again, ["work", "say"])
    return graph.add_edge("say", END)


def outer(resources: Resources) -> Any:
    """The two, as subgraphs."""
    graph = StateGraph(State)
    graph.add_node("inner", loop(resources).compile()).add_node("after", fan(resources).compile())
    return graph.add_edge(START, "inner").add_edge("inner", "after").add_edge("after", END)


def parent(resources: Resources) -> Any:
    """Another agent, and a tool beside it. Some try to go on when they are cancelled."""

    async def child(state: State) -> dict[str, Any]:
        plan = _plan(state)
        try:
            given = await resources.agent("react").ainvoke(json.dumps(plan["child"]))
        except asyncio.CancelledError:
            if not plan["swallows"]:
                raise
            given = await resources.agent("react").ainvoke(json.dumps(plan["child"]))
        return {"done": [str(given)[:50]]}

    async def beside(state: State) -> dict[str, Any]:
        plan = _plan(state)
        try:
            return await _called(resources, plan["calls"][0])
        except asyncio.CancelledError:
            if not plan["swallows"]:
                raise
            return await _called(resources, plan["calls"][0])

    graph = StateGraph(State)
    graph.add_node("child", child).add_node("beside", beside).add_node("say", _said)
    graph.add_edge(START, "child").add_edge(START, "beside")
    return graph.add_edge(["child", "beside"], "say").add_edge("say", END)


def nodes(_resources: Resources) -> Any:
    """Nodes that are activities."""

    async def first(state: State) -> dict[str, Any]:
        how = _plan(state)["calls"][0]["arguments"]
        note("began", "nodes.first", text=how.get("mode", ""))
        await adwell(how.get("mode", ""), how.get("seconds", 0))
        given = end(how.get("mode", ""), spare_process=True)
        note("ended", "nodes.first")
        return {"done": [str(given)[:50]]}

    def second(state: State) -> dict[str, Any]:
        how = _plan(state)["calls"][1]["arguments"]
        note("began", "nodes.second", text=how.get("mode", ""))
        dwell(how.get("mode", ""), how.get("seconds", 0))
        given = end(how.get("mode", ""), spare_process=True)
        note("ended", "nodes.second")
        return {"done": [str(given)[:50]]}

    graph = StateGraph(State)
    graph.add_node("first", first, metadata=IN_ACTIVITY).add_node("second", second, metadata=IN_ACTIVITY)
    graph.add_node("say", _said).add_edge(START, "first").add_edge(START, "second")
    return graph.add_edge(["first", "second"], "say").add_edge("say", END)


def _made(build: Any) -> Agent:
    return Agent(build.__name__, build, tools=TOOLS, tool_step=STEP, node_step=STEP, model_step=STEP)


react_agent, fan_agent, loop_agent, outer_agent, parent_agent, nodes_agent = AGENTS = [
    _made(build) for build in (react, fan, loop, outer, parent, nodes)
]
"""Each under a name of its own as well, by which a tool's process finds it."""
