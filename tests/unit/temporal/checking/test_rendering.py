"""Values are compared by what they are, not where they are."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langgraph.types import Command

from temporal.checking.rendering import differences, rendered


class Plain:
    pass


def test_the_order_of_sets_and_the_place_of_objects_count_for_nothing() -> None:
    assert rendered({"b", "a"}) == rendered({"a", "b"}) == ["a", "b"]
    assert rendered({"x": Plain()}) == rendered({"x": Plain()})


def test_messages_and_commands_are_compared_by_their_fields() -> None:
    one, other = (rendered(Command(update={"messages": [AIMessage("x", id=name)]})) for name in "ab")

    assert list(differences(one, other)) == [("update.messages[0].id", "a", "b")]


def test_what_is_longer_differs_at_its_end() -> None:
    assert list(differences({"path": [1]}, {"path": [1, 2]})) == [("path[1]", None, 2)]
    assert list(differences({"n": 1}, {"n": True})) == [("n", 1, True)]


def test_what_has_no_end_is_cut() -> None:
    endless: list[object] = []
    endless.append(endless)

    assert "…" in str(rendered(endless))
