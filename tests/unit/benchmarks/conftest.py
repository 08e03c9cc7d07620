"""Chats that nobody held: histories of events of known sizes."""

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from benchmarks.circumstances import Circumstances
from benchmarks.growth import Chat, Turn


def execution(run_id: str, *sizes: int) -> WorkflowHistory:
    """A history of as many events as sizes, each of so many bytes, the first one of some more."""
    events = [sized(size) for size in sizes]
    events[0].workflow_execution_started_event_attributes.original_execution_run_id = run_id
    return WorkflowHistory("chat", events)


def sized(size: int) -> HistoryEvent:
    event = HistoryEvent()
    event.user_metadata.summary.data = b"x" * size
    event.user_metadata.summary.data = b"x" * (2 * size - event.ByteSize())
    assert event.ByteSize() == size, "its length takes another number of bytes: take a size further from 128"
    return event


@pytest.fixture
def chat_of():
    """A chat of turns of so many bytes, each an event of its own after the first, which starts the workflow."""

    def make(contestant, sizes, *, ended=None) -> Chat:
        turns = [
            Turn("run-1", number + 1, seconds=number / 1000, worker_cpu=number / 2000)
            for number in range(1, len(sizes) + 1)
        ]
        return Chat(contestant, turns, [execution("run-1", 50, *sizes)], ended)

    return make


@pytest.fixture
def circumstances():
    return Circumstances("make bench", "2026-01-31", 2, 0.1, {"perdure": "0.1.0"})
