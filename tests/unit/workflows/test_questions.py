"""What lists of runs show of those that wait, and the forms that answers come in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.errors import InvalidInput
from workflows.answers import MISSING, read_answer
from workflows.contracts import Decision, Question
from workflows.questions import MOST_BYTES, entries_of

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def question(number: int, *deciders: str) -> Question:
    return Question(id=f"{number:032}", value="?", asked_at=NOON, deciders=list(deciders))


def test_lists_show_the_ids_and_who_may_decide() -> None:
    assert entries_of([question(1), question(2, "anna", "finance"), question(3, "anna")]) == [
        f"{1:032}",
        "for:anna",
        "for:finance",
        f"{2:032}",
        f"{3:032}",
    ]
    assert entries_of([]) == []


def test_lists_show_as_many_as_the_server_takes() -> None:
    entries = entries_of([question(number, f"größe-{number}" * 9) for number in range(400)])

    assert entries[0] == f"{0:032}"
    assert 1_500 < len(json.dumps(entries)) <= MOST_BYTES + 4


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        (("x", 3), ("x", 3, [])),
        (("x", None, "anna"), ("x", None, ["anna"])),
        (("x", 3, ["anna", "finance"]), ("x", 3, ["anna", "finance"])),
        ((["x", 3],), ("x", 3, [])),
        ((["x", 3, "anna"],), ("x", 3, ["anna"])),
        (({"id": "x", "value": None},), ("x", None, [])),
        (({"id": "x", "value": [1], "by": ["anna"]},), ("x", [1], ["anna"])),
    ],
)
def test_an_answer_has_three_forms(arguments: tuple[Any, ...], read: Any) -> None:
    identifier, value, by = (*arguments, MISSING, None)[:3] if len(arguments) == 1 else (*arguments, None)[:3]

    assert read_answer(identifier, value, by) == read


@pytest.mark.parametrize(
    "arguments",
    [("x", MISSING, None), (["x"], MISSING, None), (["x", 1, "a", "b"], MISSING, None), (3, 4, None), (None, 4, None)],
)
def test_other_forms_are_refused_with_an_example(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidInput, match="An answer needs the id of its question and a value"):
        read_answer(*arguments)


@pytest.mark.parametrize("by", [7, [7], [""], {"name": "anna"}])
def test_who_answers_has_a_name(by: Any) -> None:
    with pytest.raises(InvalidInput, match="where a name is expected"):
        read_answer("x", 1, by)


@pytest.mark.parametrize(
    ("fields", "who"),
    [({"by": ["anna", "finance"]}, "'anna', 'finance'"), ({"how": "expiry"}, "its expiry"), ({}, "somebody")],
)
def test_who_comes_second_is_told_who_was_first(fields: dict[str, Any], who: str) -> None:
    decision = Decision(question="x", kind="approval", answer=True, at=NOON, **fields)

    assert decision.told == f"Question 'x' was answered by {who} at 2026-05-04 12:00:00 UTC already."
