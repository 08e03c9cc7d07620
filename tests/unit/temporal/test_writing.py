"""What a watcher puts together is what was said, whatever was tried in between."""

from __future__ import annotations

from typing import Any

from activities.events import decoded, encoded
from temporal.writing import Writing


def written(*events: tuple[str, dict[str, Any]]) -> Writing:
    writing = Writing()
    for type_, fields in events:
        event = decoded(encoded("run", type_, 1, **fields))
        assert event is not None
        writing.apply(event)
    return writing


def token(text: str, *, step: str = "x/1", attempt: int = 1, message: str = "m") -> tuple[str, dict[str, Any]]:
    return "token", {"step": step, "attempt": attempt, "text": text, "message": message}


def test_tokens_become_messages() -> None:
    writing = written(token("Hel"), token("lo"), token("You", message="n", step="x/2"))

    assert writing.messages == {"m": "Hello", "n": "You"}
    assert writing.text == "You"


def test_a_reset_takes_back_what_the_step_has_written() -> None:
    writing = written(token("Hel"), ("reset", {"step": "x/1", "attempt": 2}), token("Hi", attempt=2, message="n"))

    assert writing.messages == {"n": "Hi"}


def test_a_step_that_failed_leaves_nothing() -> None:
    failed = {"step": "x/1", "activity": "call_model", "state": "failed"}

    assert written(token("Hel"), ("step", failed)).messages == {}


def test_the_message_itself_has_the_last_word() -> None:
    message = {"type": "ai", "id": "m", "content": [{"type": "text", "text": "Hello"}]}
    update = ("update", {"node": "model", "value": {"messages": [message]}})

    assert written(token("Hel"), update, token("lo")).messages == {"m": "Hello"}
