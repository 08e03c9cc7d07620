"""The runs whose histories are recorded. One of each kind; a changed order of commands needs a new recording."""

from __future__ import annotations

from langchain_core.messages import AIMessage

from agents import Agent, Registry
from agents.testing import call
from tests.integration.cases import (
    Case,
    add,
    agent_with,
    count_messages,
    fan_out,
    first_words,
    multiply,
    team,
    two_calls,
)

THREAD = Case(
    agent_with(count_messages, name="thread"),
    ["use count_messages", "use count_messages then count_messages", "thank you"],
    ["count_messages"] * 3 + ["call_model"] * 6,
)
"""A thread, and its turns."""

RECORDED: dict[str, Case] = {
    "parallel-tools": Case(
        agent_with(add, multiply),
        "both",
        ["call_model", "add", "multiply", "call_model"],
        [two_calls(), AIMessage("3 and 12")],
    ),
    "tools-that-see-the-conversation": Case(
        agent_with(count_messages, first_words),
        "in the beginning",
        ["call_model", "count_messages", "call_model", "first_words", "call_model"],
        [call("count_messages", "one"), call("first_words", "two"), AIMessage("done")],
    ),
    "fan-out": Case(Agent("fan-out", fan_out), {"numbers": [], "path": []}, []),
    "subgraph": Case(
        Agent("team", team, tools=[add]),
        {"messages": [("user", "work")]},
        ["call_model", "add", "call_model"],
        [call("add", a=1, b=1), AIMessage("two")],
    ),
    "research": Case(
        Registry.installed()["research"],
        "What is a task queue?",
        ["call_model", "retrieve", "call_model"],
        [call("search", query="task queue"), AIMessage("A queue of tasks.")],
    ),
}
