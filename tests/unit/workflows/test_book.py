"""Which turns a thread keeps, and in which order it takes them."""

from __future__ import annotations

import pytest

from agents.errors import InvalidInput, ThreadBusy
from workflows import book
from workflows.book import MOST_KEPT, MOST_QUEUED, TurnBook
from workflows.turns import ThreadInput


def ended(kept: TurnBook, *identifiers: str, output: str = "") -> None:
    for identifier in identifiers:
        kept.add(identifier, "?", "enqueue")
        kept.queue.clear()
        kept.change([identifier], status="done", output=output)
    kept.forget()


def test_what_stops_or_steers_is_next_in_the_order_in_which_it_came() -> None:
    kept = TurnBook()

    for identifier, policy in [("a", "enqueue"), ("b", "steer"), ("c", "interrupt"), ("d", "enqueue")]:
        kept.add(identifier, "?", policy)

    assert [queued.id for queued in kept.queue] == ["b", "c", "a", "d"]
    assert [turn.number for turn in kept.turns.values()] == [1, 2, 3, 4]


def test_a_queue_that_is_full_takes_no_more() -> None:
    kept = TurnBook()
    for number in range(MOST_QUEUED):
        kept.add(f"{number}", "?", "enqueue")

    with pytest.raises(ThreadBusy, match="100 turns are waiting"):
        kept.refuse_full()


def test_the_oldest_turns_are_forgotten_and_their_ids_are_known() -> None:
    kept = TurnBook()

    ended(kept, *(f"{number}" for number in range(MOST_KEPT + 5)))

    assert next(iter(kept.turns)) == "5"
    assert kept.knows("4")
    with pytest.raises(InvalidInput, match="no longer kept"):
        kept["4"]
    with pytest.raises(InvalidInput, match="There is no turn 'other'"):
        kept["other"]
    assert kept.told(kept.turns.values()).no_longer_kept == 5


def test_large_turns_are_kept_as_long_as_they_fit_and_the_newest_always(monkeypatch) -> None:
    monkeypatch.setattr(book, "MOST_BYTES", 1_000)
    kept = TurnBook()

    ended(kept, "a", "b", "c", output="x" * 300)
    ended(kept, "d", output="x" * 5_000)

    assert [*kept.turns] == ["d"]


def test_turns_that_are_not_over_are_kept_whatever_comes_after_them() -> None:
    kept = TurnBook()
    kept.add("waiting", "?", "enqueue")
    waiting = [*kept.queue]

    ended(kept, *(f"{number}" for number in range(MOST_KEPT + 5)))
    kept.queue.extend(waiting)

    assert kept["waiting"].status == "queued"


def test_another_execution_finds_the_book_as_it_was() -> None:
    kept = TurnBook()
    ended(kept, *(f"{number}" for number in range(MOST_KEPT + 5)))
    kept.add("next", {"messages": []}, "steer")

    again = TurnBook(kept.state(ThreadInput(agent="orders"), running=None, closing=False))

    assert (again.number, again.turns, again.queue, again.gone) == (kept.number, kept.turns, kept.queue, kept.gone)
    ended(again, "more")
    assert again.knows("0")
