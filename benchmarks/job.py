"""The job that all contestants do: a model is called three times and two tools once each, and none of them waits."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from agents.testing import ScriptedModel, call

QUESTION = "Is order 4711 late, and where is it?"
ANSWER = "Order 4711 is two days late. It was last seen in Hamburg."

MODEL_CALLS = 3
TOOL_CALLS = 2
STEPS = MODEL_CALLS + TOOL_CALLS


@tool
async def find_order(number: int) -> str:
    """The order of that number."""
    return f"Order {number}: two days late, parcel P-{number}."


@tool
async def find_parcel(parcel: str) -> str:
    """Where a parcel was last seen."""
    return f"Parcel {parcel}: Hamburg."


TOOLS = [find_order, find_parcel]


def model() -> ScriptedModel:
    return ScriptedModel(
        script=[
            call("find_order", "call-1", number=4711),
            call("find_parcel", "call-2", parcel="P-4711"),
            AIMessage(ANSWER),
        ]
    )
