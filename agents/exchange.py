"""What goes into an agent's graph, and what comes out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage
from langgraph.channels import UntrackedValue
from pydantic_core import to_jsonable_python

from agents.errors import UnsupportedValue

if TYPE_CHECKING:
    from langgraph.pregel import Pregel


def graph_input(graph: Pregel[Any, Any, Any, Any], given: Any) -> Any:
    """A text becomes the first message of a conversation, where the graph has one."""
    has_messages = "messages" in graph.channels
    if isinstance(given, str) and has_messages:
        return {"messages": [{"role": "user", "content": given}]}
    if isinstance(given, list) and has_messages:
        return {"messages": given}
    return given


def what_leaves(graph: Pregel[Any, Any, Any, Any], state: Any) -> Any:
    """The state without what is no data in an `UntrackedValue`, which may hold an open connection, say."""
    if not isinstance(state, dict):
        return state
    untracked = {name for name in state if isinstance(graph.channels.get(name), UntrackedValue)}
    return {name: value for name, value in state.items() if name not in untracked or _is_data(value)}


def _is_data(value: Any) -> bool:
    try:
        plain(value, "value")
    except UnsupportedValue:
        return False
    return True


def output_of(state: Any) -> Any:
    """The structured response, else the text of the last message, else the state itself, as plain JSON."""
    if isinstance(state, dict):
        if state.get("structured_response") is not None:
            return plain(state["structured_response"], "structured_response")
        messages = state.get("messages")
        if isinstance(messages, list) and messages and isinstance(messages[-1], BaseMessage):
            return messages[-1].text
    return plain(state, "output")


def plain(value: Any, path: str) -> Any:
    """`value` as JSON. Raises `UnsupportedValue`, naming `path`."""
    try:
        return to_jsonable_python(value, bytes_mode="base64")
    except (ValueError, RecursionError) as error:  # pydantic's own errors are ValueErrors
        raise UnsupportedValue(f"{path} can't be written as JSON: {error}. Keep data alone in the state.") from None
