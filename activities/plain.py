"""Looks through large JSON values at the speed of C: level by level instead of value by value.

A workflow's thread has two seconds between two awaits, and a table of some megabytes takes Python longer to walk.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any

from agents.errors import ValueTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_VALUES = 1_000_000
"""Lists, objects, texts and numbers in one value that crosses. A text or bytes of any size is one of them."""

LARGE = 64
"""Items from which on a container is worth looking through before it is walked."""

_DEEPEST = 200
_PLAIN = {dict, list, str, int, float, bool, type(None)}


def is_plain(value: Any, tag: str) -> bool:
    """Whether `value` is JSON as it stands: exact types alone, finite numbers, valid text, no key that is `tag`."""
    return all(depth <= _DEEPEST and _is_plain_level(level, tag) for depth, level in enumerate(_levels(value)))


def refuse_vast(value: Any, what: str) -> None:
    """Raises `ValueTooLarge` where plain containers hold more values than a workflow can take in."""
    seen = 0
    for depth, level in enumerate(_levels(value)):
        seen += len(level)
        if seen > MOST_VALUES:
            raise ValueTooLarge(
                f"{what} holds more than {MOST_VALUES:,} values, which takes a workflow too long. "
                "Make it one text, bytes, or a reference to where the data is."
            )
        if depth > _DEEPEST:
            return


def is_text(text: str) -> bool:
    """Half of a surrogate pair is legal in a Python string and in no JSON text."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _levels(value: Any) -> Iterator[list[Any]]:
    """The value, then what it holds, then what that holds. Without end where a value holds itself."""
    level = [value]
    while level:
        yield level
        lists = [item for item in level if type(item) is list]
        dicts = [item for item in level if type(item) is dict]
        level = [*chain.from_iterable(lists), *chain.from_iterable(map(dict.values, dicts))]


def _is_plain_level(level: list[Any], tag: str) -> bool:
    kinds = set(map(type, level))
    if not kinds <= _PLAIN:
        return False
    keys = set(chain.from_iterable(item for item in level if type(item) is dict))
    if not set(map(type, keys)) <= {str} or tag in keys or not is_text("".join(keys)):
        return False
    if float in kinds and not all(map(math.isfinite, [item for item in level if type(item) is float])):
        return False
    return str not in kinds or is_text("".join([item for item in level if type(item) is str]))
