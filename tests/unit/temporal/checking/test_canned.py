"""Nothing that a tool does to the world is carried out in a check, its compensation neither."""

from __future__ import annotations

import operator
from typing import Annotated, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from activities.effects import EffectRequest, EffectResponse
from activities.node import NodeRequest, NodeResponse
from activities.tool import ToolRequest, ToolResponse
from activities.wire import encode
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


class Calculation(TypedDict):
    messages: Annotated[list[AnyMessage], operator.add]
    calls: int


class Numbers(TypedDict):
    messages: list[int]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [(MessagesState, True), (Calculation, True), (Numbers, False)],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_node_that_does_not_say_what_it_gives_adds_a_message_to_a_conversation(schema, expected) -> None:
    graph = StateGraph(schema).add_node("node", lambda _state: {}, metadata={"execute_in": "activity"})
    registry = Registry.of([Agent("hotel", lambda _resources: graph.add_edge(START, "node"))])
    subject = Subject(registry["hotel"], registry, Graphs.of(registry, model_name))

    made = Canned(subject, Script(), run_tools=False).answer(
        "hotel.node", NodeRequest(agent="hotel", node="node", input=None)
    )

    assert made == NodeResponse(value=encode({"messages": [AIMessage("example")]} if expected else None))


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
