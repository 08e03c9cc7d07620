"""Values as they are compared: JSON without addresses, in which equal things are equal. Runs in workflows."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST = 40
LONGEST = 1_000
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def rendered(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 -- one arm a kind
    """The order of sets and of the keys of dictionaries counts for nothing."""
    inner = depth + 1
    if depth > DEEPEST:
        return "…"
    match value:
        case None | bool() | int() | str():
            return value
        case BaseMessage():
            return rendered(value.model_dump(exclude_defaults=True) | {"type": value.type}, inner)
        case BaseModel():
            return {name: rendered(getattr(value, name, None), inner) for name in type(value).model_fields}
        case Mapping():
            return {str(key): rendered(item, inner) for key, item in value.items()}
        case list() | tuple():
            return [rendered(item, inner) for item in value]
        case set() | frozenset():
            return sorted((rendered(item, inner) for item in value), key=json.dumps)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {
                field.name: rendered(getattr(value, field.name, None), inner) for field in dataclasses.fields(value)
            }
        case _:
            return ADDRESS.sub("", repr(value))[:LONGEST]


def differences(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two rendered values differ, and what stands there."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            yield from differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(one, list) and isinstance(other, list):
        for position, (first, second) in enumerate(zip_longest(one, other)):
            yield from differences(first, second, f"{path}[{position}]")
    elif one != other or type(one) is not type(other):
        yield path, one, other
