"""When a conversation is over its budget, and which of its messages a summary may stand for."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately
from langgraph.graph import MessagesState, StateGraph

from agents import Agent, Compaction
from agents.testing import call
from workflows.compaction import range_of, refuse_uncompactable, tokens_of

SYSTEM, QUESTION, ANSWER = SystemMessage("Be kind."), HumanMessage("How are you?"), AIMessage("Fine.")


def counted(tokens: int, **options: Any) -> AIMessage:
    usage = {"input_tokens": tokens - 1, "output_tokens": 1, "total_tokens": tokens}
    return AIMessage("counted", usage_metadata=usage, **options)


def result(identifier: str) -> ToolMessage:
    return ToolMessage("done", tool_call_id=identifier)


def test_tokens_are_those_of_the_last_call_and_of_what_came_after_it() -> None:
    after = [QUESTION, ANSWER]

    assert tokens_of([QUESTION, counted(700), QUESTION, counted(900), *after]) == 900 + count_tokens_approximately(
        after
    )
    assert tokens_of(after) == count_tokens_approximately(after)


def test_what_was_counted_before_the_conversation_became_shorter_says_nothing() -> None:
    messages = [QUESTION, counted(900, id="last"), QUESTION]

    assert tokens_of(messages, "last") == count_tokens_approximately(messages)
    assert tokens_of([*messages, counted(50)], "last") == 50


@pytest.mark.parametrize(
    ("messages", "keep", "expected"),
    [
        ([QUESTION, ANSWER] * 3, 2, (0, 4)),
        ([QUESTION, ANSWER] * 3, 3, (0, 3)),
        ([QUESTION, ANSWER], 2, (0, 0)),
        ([QUESTION], 5, (0, 0)),
        ([SYSTEM, SYSTEM, *[QUESTION, ANSWER] * 2], 2, (2, 4)),
        ([SYSTEM], 1, (1, 1)),
        ([QUESTION, call("pay", "a"), result("a"), ANSWER], 2, (0, 1)),
        ([QUESTION, call("pay", "a"), result("a"), ANSWER], 1, (0, 3)),
        ([call("pay", "a"), QUESTION, call("mail", "b"), result("a"), result("b")], 1, (0, 0)),
        ([call("pay", "a"), result("a"), QUESTION, call("pay", "a"), result("a")], 3, (0, 2)),
        ([call("pay", "a"), result("a"), QUESTION, ANSWER, result("a")], 4, (0, 0)),
        ([QUESTION, ANSWER, result("of nobody"), ANSWER], 2, (0, 2)),
    ],
)
def test_the_last_messages_are_kept_and_no_call_is_parted_from_its_result(messages, keep, expected) -> None:
    assert range_of(messages, keep) == expected


class Adding(TypedDict):
    messages: Annotated[list[Any], operator.add]


class Counting(TypedDict):
    numbers: list[int]


@pytest.mark.parametrize("state", [Adding, Counting])
def test_a_graph_whose_messages_can_t_be_replaced_is_refused(state) -> None:
    agent = Agent("a", lambda _resources: StateGraph(state), compaction=Compaction())

    with pytest.raises(ValueError, match="no `messages` with LangGraph's `add_messages`"):
        refuse_uncompactable(agent, StateGraph(state))

    refuse_uncompactable(agent, StateGraph(MessagesState))
