"""What a step is given and gives back keeps its type, all the way over the server."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypedDict
from uuid import UUID

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from agents import Agent, Resources
from agents.testing import ScriptedModel, call
from tests.integration.cases import agent_with
from tests.integration.conftest import steps
from tests.integration.parity.watching import described
from tests.integration.test_agent_workflow import GREETING


class Colour(Enum):
    RED = "red"


@dataclass
class Place:
    name: str
    colour: Colour


class Order(BaseModel):
    number: int
    place: Place


VALUES: dict[str, Any] = {
    "bytes": b"\x00\xff",
    "tuple": (1, (2, "three")),
    "set": {1, 2},
    "frozen set": frozenset({"x"}),
    "moment": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "naive moment": datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 -- authors have such
    "day": date(2026, 1, 2),
    "span": timedelta(days=-1, microseconds=3),
    "decimal": Decimal("0.10"),
    "id": UUID(int=7),
    "enum": Colour.RED,
    "dataclass": Place("here", Colour.RED),
    "model": Order(number=1, place=Place("there", Colour.RED)),
    "not a number": math.nan,
    "infinity": -math.inf,
    "huge": 2**4_000,
    "negative": -(10**30),
    "half a pair": "cut \ud83d",
    "null byte": "a\x00b",
    "keys": {1: "one", (2, 3): "pair", "$type": "no tag"},
    "message": HumanMessage("hello \ud83d", id="1"),
    "document": Document(page_content="page", metadata={"at": (1, 2)}),
}


class Echoed(TypedDict, total=False):
    sent: dict[str, Any]
    given: dict[str, Any]
    differ: list[str]


@tool
def thread(name: str, value: Any) -> Any:
    """Give it back, if it is what was sent."""
    return value if is_as_sent(name, value) else "other"


@tool
async def loop(name: str, value: Any) -> Any:
    """Give it back, if it is what was sent."""
    return value if is_as_sent(name, value) else "other"


def is_as_sent(name: str, value: Any) -> bool:
    return described(value) == described(VALUES[name])


def echoing(resources: Resources) -> Any:
    async def call(_state: Echoed) -> Echoed:
        calls = [tool.ainvoke({"name": name, "value": value}) for tool in resources.tools for name, value in SENT]
        return {"given": dict(zip(TWICE, await asyncio.gather(*calls), strict=True)), "sent": VALUES}

    def node(state: Echoed) -> Echoed:
        return {"sent": {name: value if is_as_sent(name, value) else "other" for name, value in state["sent"].items()}}

    def compare(state: Echoed) -> Echoed:
        came = [*((name.split(":")[0], value) for name, value in state["given"].items()), *state["sent"].items()]
        return {"differ": [name for name, value in came if not is_as_sent(name, value)], "given": {}, "sent": {}}

    graph = StateGraph(Echoed).add_node("call", call).add_node("node", node, metadata={"execute_in": "activity"})
    graph.add_node("compare", compare).add_edge(START, "call").add_edge("call", "node").add_edge("node", "compare")
    return graph


SENT = list(VALUES.items())
TWICE = [f"{name}:{kind}" for kind in ("thread", "loop") for name in VALUES]


async def test_values_go_through_tools_and_nodes_and_are_what_they_were(bench) -> None:
    made = bench(Agent("echoing", echoing, tools=[thread, loop], types=[Colour, Place, Order]), GREETING)

    result, history = await made.run({"differ": ["all"]})

    assert result["output"]["differ"] == []
    assert len(steps(history)) == 2 * len(VALUES) + 1


async def test_a_model_is_told_what_a_tool_gave_though_half_a_surrogate_pair_is_in_it(bench) -> None:
    @tool
    def cut() -> str:
        """Cut."""
        return "half a pair \ud83d"

    class Echo(ScriptedModel):
        def _answer(self, messages: Any) -> AIMessage:
            return AIMessage(ascii(messages[-1].text)) if messages[-1].type == "tool" else call("cut")

    result, history = await bench(agent_with(cut), Echo(script=[AIMessage("never")])).run("Cut.")

    assert result["output"] == ascii("half a pair \ud83d")
    assert steps(history) == ["call_model", "cut", "call_model"]
