"""Nothing that a tool does to the world is carried out in a check, its compensation neither."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from activities.effects import EffectRequest, EffectResponse
from activities.tool import ToolRequest, ToolResponse
from agents import Agent, Registry
from temporal.checking.building import Subject, model_name
from temporal.checking.canned import Canned
from temporal.checking.record import Script
from workflows.graph import Graphs


@tool
def book(room: str) -> dict[str, str]:
    """Book."""
    raise AssertionError(f"carried out for {room}")


CALL = ToolRequest(agent="hotel", tool="book", arguments={"room": "7"})
UNDOING = EffectRequest(agent="hotel", tool="book", key="k")


def canned(*, run_tools: bool, script: Script | None = None) -> Canned:
    graph = StateGraph(MessagesState).add_node("node", lambda _state: {}).add_edge(START, "node")
    agent = Agent("hotel", lambda _resources: graph, tools=[book])
    registry = Registry.of([agent])
    return Canned(Subject(agent, registry, Graphs.of(registry, model_name)), script or Script(), run_tools=run_tools)


def test_a_call_and_what_undoes_it_are_made_up() -> None:
    made = canned(run_tools=False)

    assert made.answer("book", CALL) == ToolResponse(value={})
    assert made.answer("book.compensate", UNDOING) == EffectResponse()
    assert made.made_up == ["book", "book.compensate"]


def test_a_script_answers_for_a_tool() -> None:
    made = canned(run_tools=True, script=Script(tools={"book": {"room": "8"}}))

    assert made.answer("book", CALL) == ToolResponse(value={"room": "8"})


@pytest.mark.parametrize(("name", "request_"), [("book", CALL), ("book.compensate", UNDOING)], ids=["call", "undoing"])
def test_with_run_tools_they_are_carried_out(name, request_) -> None:
    assert canned(run_tools=True).answer(name, request_) is None
