"""The job that all contestants do: a model is called three times and two tools once each, and none of them waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from agents.testing import ScriptedModel, call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langchain_core.outputs import ChatGenerationChunk, ChatResult

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


class InstantModel(ScriptedModel):
    """Asynchronous by itself, as the vendors' models are: else LangChain would take a thread for each word."""

    async def _agenerate(self, *args: Any, **options: Any) -> ChatResult:
        return self._generate(*args[:2], **options)

    async def _astream(self, *args: Any, **options: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(*args[:2], **options):
            yield chunk


def model() -> InstantModel:
    return InstantModel(
        script=[
            call("find_order", "call-1", number=4711),
            call("find_parcel", "call-2", parcel="P-4711"),
            AIMessage(ANSWER),
        ]
    )
