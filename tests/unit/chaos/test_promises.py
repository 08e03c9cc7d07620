"""What `make chaos` takes for a broken promise."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from tests.chaos.clients import Run
from tests.chaos.ledger import Entry
from tests.chaos.promises import (
    nothing_begins_after_its_cancellation,
    nothing_begins_after_its_end,
    nothing_is_paid_twice,
    the_last_is_undone_first,
    what_was_done_is_undone,
)
from tests.chaos.story import Story


class Told:
    """A history, an event a second."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []

    def _add(self, **fields: Any) -> int:
        second = len(self.events) + 1
        self.events.append(HistoryEvent(event_id=second, event_time=Timestamp(seconds=second), **fields))
        return second

    def scheduled(self, name: str, key: str) -> int:
        return self._add(
            activity_task_scheduled_event_attributes={
                "activity_type": {"name": name},
                "input": {"payloads": [{"data": f'{{"key": "{key}"}}'.encode()}]},
            }
        )

    def done(self, name: str, key: str) -> None:
        scheduled = self.scheduled(name, key)
        self._add(
            activity_task_completed_event_attributes={
                "scheduled_event_id": scheduled,
                "result": {"payloads": [{"data": b'{"kind": "value"}'}]},
            }
        )

    def cancelled(self) -> None:
        self._add(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)

    def story(self, *entries: Entry, status: str = "canceled") -> Story:
        self._add(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED)
        return Story(Run("run", "react", ""), status, [WorkflowHistory("run", self.events)], list(entries))


def began(who: str, key: str, second: float) -> Entry:
    return Entry("began", who, key, "works", "run", 1, 1, second)


@pytest.fixture
def history() -> Told:
    return Told()


@pytest.mark.parametrize(("who", "second", "is_broken"), [("pays", 9, True), ("pays", 2.2, False), ("reads", 9, False)])
def test_what_changes_something_begins_before_the_cancellation(history, who, second, is_broken) -> None:
    history.scheduled(who, "one")
    history.cancelled()

    story = history.story(began(who, "one", second))

    assert bool([*nothing_begins_after_its_cancellation(story)]) is is_broken


def test_nothing_begins_when_a_run_is_over(history) -> None:
    story = history.story(began("pays", "one", 0), began("nodes.first", "", 60))

    assert [*nothing_begins_after_its_end(story)] == [
        f"nodes.first began 59.00 s after the run had ended: {story.entries[1]}"
    ]


def test_what_was_done_is_undone_or_named(history) -> None:
    history.done("books", "one")
    history.done("abooks", "two")
    history.done("abooks.compensate", "two")

    assert [*what_was_done_is_undone(history.story())] == ["books (key one) was done, and is neither undone nor named"]


def test_the_last_that_was_done_is_undone_first(history) -> None:
    history.done("books", "one")
    history.done("books", "two")
    history.done("books.compensate", "one")
    history.done("books.compensate", "two")

    assert [*the_last_is_undone_first(history.story())] == ["one was undone before two, which came after it"]


def test_what_must_not_be_repeated_begins_once() -> None:
    entries = [began(who, who, second) for who in ("pays", "repeats") for second in (1, 2)]

    [problem] = nothing_is_paid_twice(entries)

    assert problem.startswith("pays (key pays) was begun 2 times")
