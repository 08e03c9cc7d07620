"""The calls of a graph's task are found again when it runs again."""

from __future__ import annotations

from typing import Any

import pytest

from agents.errors import IdempotencyConflict
from workflows.calls import Call, Calls, Outcome, Place

PAID = Outcome(kind="value", value="paid")
NAMESPACE = "shop:1|tools:2"


def place(attempt: int = 1, **other: Any) -> Place:
    return Place(**{"run": ("run", "first"), "namespace": NAMESPACE, "step": 3, "attempt": (1, attempt), **other})


def take(calls: Calls, where: Place, digest: str = "five", *, repeatable: bool = False) -> Call:
    return calls.take(where, "pay", digest, repeatable=repeatable)


def test_alike_calls_are_told_apart_and_found_again_in_their_order() -> None:
    calls = Calls()
    first = [take(calls, place()), take(calls, place())]

    again = [take(calls, place(attempt=2)), take(calls, place(attempt=2)), take(calls, place(attempt=2))]

    assert first[0].key != first[1].key
    assert again[0] is first[0]
    assert again[1] is first[1]
    assert again[2].key not in {call.key for call in first}


def test_calls_are_found_whatever_order_they_are_made_in() -> None:
    calls = Calls()
    five, six = take(calls, place(), "five"), take(calls, place(), "six")

    assert take(calls, place(attempt=2), "six") is six
    assert take(calls, place(attempt=2), "five") is five


def test_a_key_depends_on_the_run_and_the_place_alone() -> None:
    key = take(Calls(), place()).key

    assert take(Calls(), place(attempt=9), "other arguments").key == key
    assert take(Calls(), place(run=("run", "another"))).key != key
    assert take(Calls(), place(namespace="tools:3")).key != key


def test_other_arguments_than_before_are_a_conflict_once_the_call_has_begun() -> None:
    calls = Calls()
    take(calls, place(), "five").outcome = PAID

    with pytest.raises(IdempotencyConflict, match="'pay' was called with other arguments when its node ran before"):
        take(calls, place(attempt=2), "six")


def test_a_call_that_has_not_begun_may_be_another_next_time() -> None:
    calls = Calls()
    take(calls, place(), "five").ask("approval", "Pay five?")

    assert take(calls, place(attempt=2), "six").digest == "six"


def test_what_may_be_repeated_may_be_called_with_other_arguments() -> None:
    calls = Calls()
    take(calls, place(), "five", repeatable=True).outcome = PAID

    assert take(calls, place(attempt=2), "six", repeatable=True).digest == "six"


def test_calls_of_tasks_that_are_over_are_forgotten() -> None:
    calls = Calls()
    take(calls, place())

    calls.forget({"": 5, "shop:1": 2})
    assert len(list(calls)) == 1
    calls.forget({"": 5, "shop:1": 3})
    assert list(calls) == []


def test_each_question_has_an_id_of_its_own() -> None:
    calls = Calls()
    call = take(calls, place())
    call.ask("body", "Sure?")
    first = call.question
    call.ask("body", "Sure?")

    assert first is not None
    assert call.question is not None
    assert first.id != call.question.id
    assert calls.asking(call.question.id) is call
    assert calls.asking(first.id) is None


def test_another_execution_finds_what_was_carried_over() -> None:
    calls = Calls()
    call = take(calls, place())
    call.outcome = PAID
    carried = {NAMESPACE: [Call.model_validate_json(each.model_dump_json()) for each in calls.carried()[NAMESPACE]]}

    found = take(Calls(carried), place())

    assert (found.key, found.outcome) == (call.key, PAID)
