"""How questions and answers read in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.errors import InvalidInput
from temporal.cli.inbox import _row, read_arguments, read_value, span, summary
from temporal.inbox import Waiting, judged
from workflows.contracts import Question

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
REVIEW = {"action_requests": [{"name": "pay", "args": {"amount": 5}}, {"name": "add", "args": {}}]}


def question(value: Any, **fields: Any) -> Question:
    return Question(id="0123456789abcdef", value=value, agent="till", asked_at=NOON, **fields)


CALL = question({"tool": "pay", "arguments": {"amount": 5, "to": "Ada"}}, kind="approval", tool="pay")


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (CALL, 'pay(amount=5, to="Ada")'),
        (CALL.model_copy(update={"kind": "unknown_outcome"}), 'What became of pay(amount=5, to="Ada")?'),
        (question("Your name?"), "Your name?"),
        (question({"question": "Your town?", "near": 1}), "Your town?"),
        (question(REVIEW), "pay(amount=5), add()"),
        (question({"confirm": "größer"}), '{"confirm": "größer"}'),
    ],
)
def test_a_question_is_one_line(asked: Question, line: str) -> None:
    assert summary(asked) == line


def test_a_row_says_who_decides_and_what_happens_otherwise() -> None:
    terms = {
        "deciders": ["anna", "finance"],
        "escalates_at": NOON + timedelta(hours=4),
        "escalate_to": ["boss"],
        "expires_at": NOON + timedelta(days=3),
        "on_expiry": "reject",
    }
    asked = CALL.model_copy(update=terms)

    assert _row(Waiting(run="till-1", ids=[asked.id], question=asked), NOON + timedelta(minutes=30)) == [
        "till-1",
        "till",
        'pay(amount=5, to="Ada")',
        "01234567",
        "30 min",
        "anna, finance; in 4 h boss, too",
        "in 3 d: reject",
    ]


def test_a_run_for_which_no_worker_answers_is_listed_too() -> None:
    row = _row(Waiting(run="till-1", ids=["0123456789", "abcdefghij"]), NOON)

    assert row[:4] == ["till-1", "", "no worker answers for this run", "01234567 abcdefgh"]


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=99), "99 s"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(hours=47.99), "48 h"),
        (timedelta(days=12), "12 d"),
    ],
)
def test_times_are_short(time: timedelta, shown: str) -> None:
    assert span(time) == shown


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("yes", None, "yes"),
        ("true", None, True),
        ("5", None, 5),
        ("5", {"type": "string"}, "5"),
        ("5", {"type": "boolean"}, 5),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
    ],
)
def test_an_answer_is_json_or_a_text(text: str, schema: Any, value: Any) -> None:
    assert read_value(text, question("?", answer_schema=schema)) == value


def test_arguments_are_an_object() -> None:
    assert read_arguments(None) is None
    assert read_arguments('{"amount": 5}') == {"amount": 5}
    with pytest.raises(InvalidInput, match="no JSON"):
        read_arguments("{")
    with pytest.raises(InvalidInput, match="an object is expected"):
        read_arguments("[5]")


def test_what_can_be_approved_is() -> None:
    assert judged(CALL, approve=True, similar=None, arguments=None) == {"approve": True}
    assert judged(CALL, approve=False, reason="too dear") == {"approve": False, "reason": "too dear"}
    assert judged(question(REVIEW), approve=True, similar=None) == {"decisions": [{"type": "approve"}] * 2}
    rejected = {"type": "reject", "message": "no"}
    assert judged(question(REVIEW), approve=False, reason="no") == {"decisions": [rejected] * 2}
    with pytest.raises(InvalidInput, match="asks for no approval"):
        judged(question("Your name?"), approve=True)
    with pytest.raises(InvalidInput, match="asks for no approval"):
        judged(question(REVIEW), approve=True, similar=True)
