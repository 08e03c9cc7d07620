"""Copies of the values of a state, to keep and to hand out."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar, cast

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from agents.errors import UnsupportedValue

Value = TypeVar("Value")


def copied(value: Value) -> Value:
    """A copy that shares what nothing changes in place: plain values and messages."""
    match value:
        case None | str() | int() | float() | bool() | BaseMessage():
            return value
        case dict() if type(value) is dict:
            return cast("Value", {key: copied(item) for key, item in value.items()})
        case list() if type(value) is list:
            return cast("Value", [copied(item) for item in value])
        case _DeltaSnapshot():
            return cast("Value", _DeltaSnapshot(copied(value.value)))
        case _:
            return deepcopy(value)


def copied_to_keep(channel: str, value: Value) -> Value:
    """Raises `UnsupportedValue` for what holds a lock or a connection, or has no end."""
    try:
        return copied(value)
    except Exception as error:  # noqa: BLE001 -- copying calls the value's own code
        raise UnsupportedValue(
            f"{channel!r} of the state can't be copied: {type(error).__name__}: {error}. Keep data alone in the state."
        ) from None
