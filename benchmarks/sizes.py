"""How large a chat was after so many turns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from temporalio.client import WorkflowHistory

from benchmarks.summary import Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.growth import Chat, Turn

WINDOW = 10
"""Turns over which a figure for one turn is taken."""


@dataclass(frozen=True)
class Size:
    """Of all executions together."""

    executions: int
    events: int
    bytes: int


def executions_after(chat: Chat, turns: int) -> list[WorkflowHistory]:
    """The histories as they were then: the last one ends with the turn."""
    last = chat.turns[turns - 1]
    found: list[WorkflowHistory] = []
    for history in chat.histories:
        if history.run_id == last.execution:
            return [*found, WorkflowHistory(history.workflow_id, history.events[: last.events])]
        found.append(history)
    raise LookupError(f"{chat.contestant.name!r} has no history of execution {last.execution!r}.")


def size_after(chat: Chat, turns: int) -> Size:
    histories = executions_after(chat, turns)
    return Size(len(histories), sum(len(history.events) for history in histories), sum(map(size_of, histories)))


def size_of(history: WorkflowHistory) -> int:
    return sum(event.ByteSize() for event in history.events)


def bytes_per_turn(chat: Chat, turns: int) -> float:
    """Over the last turns of so many; from the first on, what the workflow itself takes is counted, too."""
    window = min(WINDOW, turns)
    before = size_after(chat, turns - window).bytes if turns > window else 0
    return (size_after(chat, turns).bytes - before) / window


def steadiness(chat: Chat, *, start: int) -> Spread | None:
    """The bytes of a turn, over each ten turns from `start` on."""
    sizes = [size_after(chat, turns).bytes for turns in range(start, len(chat.turns) + 1, WINDOW)]
    return Spread.of((later - earlier) / WINDOW for earlier, later in pairwise(sizes))


def turn_figure(turns: Sequence[Turn], figure: str) -> float:
    """Its median over the last turns, in milliseconds."""
    return float(median(getattr(turn, figure) for turn in turns[-WINDOW:])) * 1000
