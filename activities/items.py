"""The items of the store: how one is kept, and which of them a filter or a condition means.

Plain data and arithmetic, as `langgraph.store.memory.InMemoryStore` has them: imports nothing that talks to a store.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from langgraph.store.base import get_text_at_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from langgraph.store.base import MatchCondition, PutOp

Namespace = tuple[str, ...]

_ID_SPACE = UUID("4b2f3b0e-6f5a-5d0c-9a55-1a7e6f2c9d31")
LONGEST_FACT = 200
LONGEST_TEXT = 8_000
"""Characters that a search reads: what embedding models take."""

MOST_RANKED = 10_000
"""What Weaviate ranks at most for one query."""


@dataclass(frozen=True, slots=True)
class StoredItem:
    """`data` is the value's wire form as JSON, `text` what a search reads, `created` and `updated` are microseconds."""

    namespace: str
    prefixes: list[str]
    key: str
    data: str
    text: str
    facts: list[str]
    indexed: bool
    created: int
    updated: int


def item_id(namespace: Namespace, key: str) -> UUID:
    """One item, one id: writing it again replaces it, whoever does."""
    return uuid5(_ID_SPACE, json.dumps([*namespace, key]))


def label(namespace: Namespace) -> str:
    """A namespace as text, from which `namespace_of` reads it again."""
    return json.dumps(list(namespace), ensure_ascii=False)


def namespace_of(label: str) -> Namespace:
    return tuple(json.loads(label))


def prefixes(namespace: Namespace) -> list[str]:
    return [label(namespace[: depth + 1]) for depth in range(len(namespace))]


def searched_text(value: Mapping[str, Any], index: Sequence[str] | None) -> str:
    """The fields that `index` names, or the whole value."""
    plain = json.loads(json.dumps(dict(value), default=str))
    texts = [text for path in (["$"] if index is None else index) for text in get_text_at_path(plain, path)]
    return "\n".join(texts)[:LONGEST_TEXT]


# Filters


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
OPERATORS = ("$eq", "$ne", *_COMPARISONS)


def refuse_unknown_operators(filter_: Mapping[str, Any] | None) -> None:
    for wanted in (filter_ or {}).values():
        if isinstance(wanted, Mapping):
            if unknown := [name for name in wanted if str(name).startswith("$") and name not in OPERATORS]:
                raise ValueError(f"Unsupported operator: {unknown[0]}. Use one of {', '.join(OPERATORS)}.")
            refuse_unknown_operators(wanted)


def matches(value: Mapping[str, Any], filter_: Mapping[str, Any] | None) -> bool:
    return all(_agrees(value.get(name), wanted) for name, wanted in (filter_ or {}).items())


def _agrees(found: Any, wanted: Any) -> bool:
    match wanted:
        case dict() if any(str(name).startswith("$") for name in wanted):
            return all(_compares(found, name, bound) for name, bound in wanted.items())
        case dict():
            return isinstance(found, dict) and all(_agrees(found.get(name), each) for name, each in wanted.items())
        case list() | tuple():
            alike = isinstance(found, (list, tuple)) and len(found) == len(wanted)
            return alike and all(_agrees(one, other) for one, other in zip(found, wanted, strict=True))
        case _:
            return bool(found == wanted)


def _compares(found: Any, name: str, bound: Any) -> bool:
    """What is no number is neither more nor less than another: an item without the field is passed over."""
    if name in ("$eq", "$ne"):
        return bool(found == bound) is (name == "$eq")
    try:
        return _COMPARISONS[name](float(found), float(bound))
    except (TypeError, ValueError):
        return False


def facts(value: Mapping[str, Any]) -> list[str]:
    """The plain fields of a value, as words that a database can look up."""
    return [fact for name, found in value.items() if (fact := _fact(name, found)) is not None]


def required_facts(filter_: Mapping[str, Any] | None) -> Iterator[str]:
    """What an item must have to match, where a word can say it. The rest is for `matches` to find out."""
    for name, wanted in (filter_ or {}).items():
        equal = wanted.get("$eq") if isinstance(wanted, Mapping) else wanted
        if (fact := _fact(name, equal)) is not None:
            yield fact


def _fact(name: str, value: Any) -> str | None:
    match value:
        case str():
            return json.dumps([name, value[:LONGEST_FACT]])
        case bool() | int() | float() | Decimal():
            return _number(name, value)
        case _:
            return None


def _number(name: str, value: float | Decimal) -> str | None:
    """Numbers that are equal are one word: 1, 1.0 and true."""
    try:
        return json.dumps([name, float(value)])
    except (OverflowError, ValueError):
        return None


# Namespaces


def listed(
    namespaces: Iterable[Namespace], conditions: Sequence[MatchCondition], max_depth: int | None
) -> list[Namespace]:
    """The namespaces that meet all conditions, cut at `max_depth`, in order."""
    found = (each for each in namespaces if all(_meets(each, condition) for condition in conditions))
    return sorted({each[:max_depth] for each in found})


def _meets(namespace: Namespace, condition: MatchCondition) -> bool:
    path = condition.path
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in ("*", found) for wanted, found in zip(path, part, strict=True))


def last_of_each(puts: Iterable[PutOp]) -> list[PutOp]:
    """Of several puts of one item in a batch, the last counts."""
    return list({(put.namespace, put.key): put for put in puts}.values())
