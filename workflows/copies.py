"""Copies of the values of a state, to keep and to hand out."""

from __future__ import annotations

import functools
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar, cast

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from agents.errors import UnsupportedValue

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


def _stays(kind: type) -> bool:
    return issubclass(kind, (type(None), str, int, float, BaseMessage))


_is_shared: Callable[[type], bool] = functools.cache(_stays)
"""Whether nothing changes values of this type in place. To ask it of each message would take far longer."""


def copied(value: Value) -> Value:
    """A copy that shares what nothing changes in place: plain values and messages."""
    kind = type(value)
    if _is_shared(kind):
        return value
    if kind is dict:
        return cast("Value", {key: copied(item) for key, item in cast("dict[Any, Any]", value).items()})
    if kind is list:
        items = cast("list[Any]", value)
        return cast("Value", [item if _is_shared(type(item)) else copied(item) for item in items])
    if isinstance(value, _DeltaSnapshot):
        return cast("Value", _DeltaSnapshot(copied(value.value)))
    return deepcopy(value)


def copied_to_keep(channel: str, value: Value) -> Value:
    """Raises `UnsupportedValue` for what holds a lock or a connection, or has no end."""
    try:
        return copied(value)
    except Exception as error:  # noqa: BLE001 -- copying calls the value's own code
        raise UnsupportedValue(
            f"{channel!r} of the state can't be copied: {type(error).__name__}: {error}. Keep data alone in the state."
        ) from None
