"""Filters and namespaces mean what they mean in LangGraph's InMemoryStore."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest
from langgraph.store.base import ListNamespacesOp, MatchCondition
from langgraph.store.memory import InMemoryStore

from activities.items import (
    facts,
    item_id,
    label,
    listed,
    matches,
    namespace_of,
    refuse_unknown_operators,
    required_facts,
    searched_text,
)

VALUES: list[dict[str, Any]] = [
    {"a": 1},
    {"a": 1.0},
    {"a": True},
    {"a": Decimal(1)},
    {"a": "1"},
    {"a": None},
    {"b": 1},
    {"a": [1, 2]},
    {"a": {"b": {"c": 1}}},
    {"a": 10**400},
    {"a": float("nan")},
    {"a": "x" * 300},
    {"a": "x" * 300 + "y"},
    {"a": 2, "b": "red"},
]
FILTERS: list[dict[str, Any] | None] = [
    None,
    {},
    {"a": 1},
    {"a": "1"},
    {"a": None},
    {"a": True},
    {"a": [1, 2]},
    {"a": (1, 2)},
    {"a": {"b": {"c": 1}}},
    {"a": {"b": {"c": {"$gte": 1}}}},
    {"a": {"$eq": 1}},
    {"a": {"$ne": 1}},
    {"a": 10**400},
    {"a": "x" * 300},
    {"a": 2, "b": "red"},
    {"a": 2, "b": "blue"},
    {"a": {"$eq": 2}, "b": {"$ne": "blue"}},
]


@pytest.mark.parametrize(("value", "wanted"), list(itertools.product(VALUES, FILTERS)))
def test_a_filter_finds_what_plain_langgraph_finds(value, wanted) -> None:
    store = InMemoryStore()
    store.put(("n",), "k", value)

    assert matches(value, wanted) == bool(store.search(("n",), filter=wanted))


@pytest.mark.parametrize("name", ["$gt", "$gte", "$lt", "$lte"])
@pytest.mark.parametrize("value", [1, 2, 3, "2", True])
def test_comparisons_are_of_numbers(name, value) -> None:
    store = InMemoryStore()
    store.put(("n",), "k", {"a": value})

    assert matches({"a": value}, {"a": {name: 2}}) == bool(store.search(("n",), filter={"a": {name: 2}}))


def test_what_is_no_number_is_passed_over() -> None:
    assert not matches({"b": 1}, {"a": {"$gt": 0}})
    assert not matches({"a": "red"}, {"a": {"$lt": 9}})


@pytest.mark.parametrize(("value", "wanted"), list(itertools.product(VALUES, FILTERS)))
def test_what_matches_has_the_facts_that_a_database_is_asked_for(value, wanted) -> None:
    assert not matches(value, wanted) or set(required_facts(wanted)) <= set(facts(value))


@pytest.mark.parametrize("wanted", [{"a": {"$in": [1]}}, {"a": {"b": {"$regex": "x"}}}])
def test_an_unknown_operator_is_refused_with_those_there_are(wanted) -> None:
    with pytest.raises(ValueError, match=r"Unsupported operator: .* Use one of \$eq, \$ne"):
        refuse_unknown_operators(wanted)


NAMESPACES = [("a",), ("a", "b"), ("a", "b", "c"), ("b", "c"), ("c", "a", "c")]
CONDITIONS = [
    (),
    (MatchCondition("prefix", ("a",)),),
    (MatchCondition("suffix", ("c",)),),
    (MatchCondition("prefix", ("*", "b")),),
    (MatchCondition("suffix", ("*", "c")),),
    (MatchCondition("prefix", ("a",)), MatchCondition("suffix", ("c",))),
]


@pytest.mark.parametrize("conditions", CONDITIONS)
@pytest.mark.parametrize("depth", [None, 1, 2])
def test_namespaces_are_listed_as_plain_langgraph_lists_them(conditions, depth) -> None:
    store = InMemoryStore()
    for namespace in NAMESPACES:
        store.put(namespace, "k", {})

    [expected] = store.batch([ListNamespacesOp(conditions, depth)])
    assert listed(NAMESPACES, conditions, depth) == expected


def test_names_that_look_alike_are_different_items() -> None:
    assert item_id(("a", "b"), "c") != item_id(("a",), "b/c")
    assert item_id(("a",), "b") != item_id((), "a/b")
    assert namespace_of(label(('a"b', "ü"))) == ('a"b', "ü")


def test_the_searched_text_is_the_whole_value_or_the_fields_that_are_named() -> None:
    value = {"title": "Red", "parts": [{"name": "one"}, {"name": "two"}], "n": 3}

    assert searched_text(value, None).startswith('{"n": 3')
    assert searched_text(value, ["title", "parts[*].name", "missing"]) == "Red\none\ntwo"
    assert searched_text(value, []) == ""
