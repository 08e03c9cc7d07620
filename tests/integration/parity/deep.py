"""Deep agents: planning, files in the state, and agents below them."""

from typing import Any

from deepagents import create_deep_agent
from deepagents.backends import CompositeBackend, StateBackend, StoreBackend
from langchain_core.messages import AIMessage

from agents.testing import call
from tests.integration.cases import add, multiply
from tests.integration.parity.case import Case
from tests.integration.parity.tools import both


def deep(resources: Any) -> Any:
    """Its sub-agent has a model and a tool of its own."""
    adder, multiplier = resources.tools
    helper = {
        "name": "helper",
        "description": "Multiplies.",
        "system_prompt": "Multiply.",
        "tools": [multiplier],
        "model": resources.model("helper"),
    }
    return create_deep_agent(resources.model(), [adder], system_prompt="Work it out.", subagents=[helper])


def plain_deep(resources: Any) -> Any:
    return create_deep_agent(resources.model(), resources.tools, interrupt_on={"add": True})


def with_memory(resources: Any) -> Any:
    """Some of its files are kept in the store."""
    stored = StoreBackend(namespace=lambda _runtime: ("parity", "files"))
    backend = CompositeBackend(default=StateBackend(), routes={"/memories/": stored})
    return create_deep_agent(resources.model(), resources.tools, backend=backend)


PLAN = call("write_todos", "plan", todos=[{"content": "multiply", "status": "in_progress"}])
FILES = [
    call("write_file", "write", file_path="/notes/one.md", content="three\nfour\n"),
    call("edit_file", "edit", file_path="/notes/one.md", old_string="four", new_string="five"),
    both(
        call("read_file", "read", file_path="/notes/one.md"),
        both(call("ls", "ls", path="/notes"), call("grep", "grep", pattern="five")),
    ),
    call("glob", "glob", pattern="**/*.md"),
]
TASK = call("task", "task", description="What is 3 * 5?", subagent_type="helper")
HELPER = [
    both(call("multiply", "m", a=3, b=5), call("write_file", "w", file_path="/answer.txt", content="15")),
    AIMessage("It is 15, see /answer.txt."),
]
KEEPING = [
    call("write_file", "write", file_path="/memories/town.txt", content="Rome"),
    both(call("read_file", "read", file_path="/memories/town.txt"), call("ls", "ls", path="/")),
    AIMessage("Kept."),
]
LAST = [call("read_file", "again", file_path="/answer.txt"), call("add", a=15, b=1), AIMessage("Sixteen.")]

CASES = [
    Case(
        "deep-agent",
        deep,
        "What is 3 * 5 + 1?",
        [PLAN, *FILES, TASK, *LAST],
        [add, multiply],
        {"helper": HELPER},
    ),
    Case(
        "deep-agent-that-asks",
        plain_deep,
        "Add.",
        [call("add", a=1, b=2), AIMessage("Three.")],
        [add],
        answer=lambda _value: {"decisions": [{"type": "approve"}]},
        steps=["call_model", "add", "call_model"],
    ),
    Case("deep-agent-with-memory", with_memory, "Keep it.", KEEPING),
]
