"""Agents that use LangGraph as its users do. Plain LangGraph says what each must answer."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import InjectedToolCallId, ToolException, tool
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel, Field

from agents import Agent, Resources
from agents.testing import call


@dataclass(frozen=True)
class Case:
    """`steps` is the exact list of activities."""

    agent: Agent
    given: Any
    steps: list[str]
    script: list[AIMessage] = field(default_factory=list)


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
async def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


@tool
def count_messages(runtime: ToolRuntime) -> str:
    """Say how long the conversation is."""
    return f"{len(runtime.state['messages'])} messages, call {runtime.tool_call_id}"


@tool
def first_words(state: Annotated[dict, InjectedState]) -> str:
    """Repeat how the conversation began."""
    return state["messages"][0].text


@tool
def note(text: str, runtime: ToolRuntime) -> Command:
    """Keep a note."""
    return Command(update={"messages": [ToolMessage(f"noted {text}", tool_call_id=runtime.tool_call_id)]})


@tool(response_format="content_and_artifact")
def look_up(word: str) -> tuple[str, list[Document]]:
    """Look a word up."""
    return f"found {word}", [Document(page_content=word, metadata={"page": 1})]


@tool
def refuse(reason: str) -> str:
    """Refuse."""
    raise ToolException(f"refused: {reason}")


refuse.handle_tool_error = True


@tool
def announce(text: str) -> str:
    """Write to the stream."""
    get_stream_writer()({"announced": text})
    return text


@tool
def where(place: str, cfg: RunnableConfig) -> str:
    """Say in which thread."""
    return f"{place}: {sorted(key for key in cfg['configurable'] if key == 'thread')}"


class Parcel(BaseModel):
    weight: int = Field(alias="Weight")


@tool
def weigh(parcel: Parcel) -> int:
    """Weigh a parcel."""
    return parcel.weight


@tool
def receipt(amount: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> str:
    """Write a receipt."""
    return f"{amount} for {tool_call_id}"


class Point(BaseModel):
    x: int
    y: int


@tool
def mirror(point: Point) -> Point:
    """Swap the coordinates."""
    return Point(x=point.y, y=point.x)


def agent_with(*tools: Any, name: str = "worker", middleware: Any = (), response_format: Any = None) -> Agent:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools, middleware=middleware, response_format=response_format)

    return Agent(name, build, tools=tools)


def two_calls() -> AIMessage:
    calls = [*call("add", "one", a=1, b=2).tool_calls, *call("multiply", "two", a=3, b=4).tool_calls]
    return AIMessage("", tool_calls=calls)


class Totals(TypedDict):
    numbers: Annotated[list[int], operator.add]
    path: Annotated[list[str], operator.add]


def fan_out(_resources: Resources) -> Any:
    graph = StateGraph(Totals)
    graph.add_node("square", lambda number: {"numbers": [number * number]})
    graph.add_node("sum", lambda state: {"path": [str(sum(state["numbers"]))]})
    graph.add_conditional_edges(START, lambda _state: [Send("square", number) for number in range(20)], ["square"])
    graph.add_edge("square", "sum")
    return graph.compile()


def team(resources: Resources) -> Any:
    """An agent as a subgraph of a hand-written graph, and a jump by `Command`."""

    class TeamState(MessagesState):
        verdict: str

    def judge(state: TeamState) -> Command:
        return Command(goto="praise", update={"verdict": state["messages"][-1].text})

    graph = StateGraph(TeamState)
    graph.add_node("worker", create_agent(resources.model(), resources.tools))
    graph.add_node("judge", judge, destinations=("praise",))
    graph.add_node("praise", lambda state: {"verdict": f"well done: {state['verdict']}"})
    graph.add_edge(START, "worker")
    graph.add_edge("worker", "judge")
    return graph


def asking(_resources: Resources) -> Any:
    """Two questions in one node, after a counter that must count the node's three starts."""
    graph = StateGraph(Totals)

    def ask(_state: Totals) -> dict[str, Any]:
        name = interrupt("Your name?")
        town = interrupt({"question": "Your town?", "name": name})
        return {"path": [f"{name} of {town}"]}

    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    return graph


@tool
def confirm(action: str) -> str:
    """Ask a person."""
    return f"{action}: {interrupt({'confirm': action})}"
