"""What goes into an agent's graph, and what comes out of it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage
from langgraph.channels import UntrackedValue
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from agents.errors import UnsupportedValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from langgraph.pregel import Pregel

DEEPEST = 100
"""Levels that are looked through for what does not fit."""

MOST_PARTS = 10_000
"""Parts that are looked at on each of them: a workflow's thread has no time for more."""


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
    return {name: value for name, value in state.items() if name not in untracked or _is_plain(value)}


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
    """`value` as JSON. Raises `UnsupportedValue` with the path of the part that has none, below `path`."""
    try:
        return _plainly(value)
    except (ValueError, RecursionError) as error:  # pydantic's own errors are ValueErrors
        place = path + place_of_unfit(value, _is_plain)
        raise UnsupportedValue(f"{place} can't be written as JSON: {error}. Keep data alone in the state.") from None


def _plainly(value: Any) -> Any:
    return to_jsonable_python(value, bytes_mode="base64")


def _is_plain(value: Any) -> bool:
    try:
        _plainly(value)
    except (ValueError, RecursionError):
        return False
    return True


def place_of_unfit(value: Any, is_fit: Callable[[Any], bool]) -> str:
    """The path of the innermost part that does not fit, `.lines[2].price` say. Empty where it is the whole."""
    path = ""
    for _ in range(DEEPEST):  # it may hold itself
        parts = islice(_parts(value), MOST_PARTS)
        unfit = next(((name, part) for name, part in parts if not is_fit(part)), None)
        if unfit is None:
            break
        name, value = unfit
        path += name
    return path


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    match value:
        case BaseModel():
            return ((f".{name}", part) for name, part in value)
        case dict():
            return ((f".{name}", part) for name, part in value.items())
        case list() | tuple():
            return ((f"[{index}]", part) for index, part in enumerate(value))
        case _:
            return ()
