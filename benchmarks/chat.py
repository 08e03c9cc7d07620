"""The chat that all contestants hold: in each turn a question, a tool call, 500 characters of tool output, an answer.

A turn is three activities: model, tool, model. What is said in it follows from its number alone, so that all chats are
the same and none needs a script as long as itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import Field

from agents.testing import call
from benchmarks.job import InstantModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

OUTPUT_CHARACTERS = 500
ACTIVITIES = 3


def question(turn: int) -> str:
    return f"What happened to order {turn:05}?"


def answer(turn: int) -> str:
    return f"Order {turn:05} left the depot on time and will be with you on Friday afternoon."


def output(turn: int) -> str:
    line = f"Order {turn:05} was packed, labelled and handed over. "
    return (line * OUTPUT_CHARACTERS)[:OUTPUT_CHARACTERS]


@tool
async def order_log(number: int) -> str:
    """What is on record about the order of that number."""
    return output(number)


class ChatModel(InstantModel):
    """Asks the tool about the newest question; answers once it has its output."""

    script: list[AIMessage] = Field(default_factory=list)

    def _answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        turn = sum(isinstance(message, HumanMessage) for message in messages)
        if isinstance(messages[-1], ToolMessage):
            return AIMessage(answer(turn))
        return call("order_log", f"call-{turn}", number=turn)
