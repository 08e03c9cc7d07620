"""Events reach any number of watchers, and never hold a run up."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from activities import event_log
from activities.event_log import EventLog, _Outlet
from activities.events import decoded, encoded
from activities.publishing import LONGEST_QUEUE, Publisher

PATIENCE = 60.0


def event(number: int, run: str = "run") -> tuple[str, bytes]:
    return run, encoded(run, "custom", number, value=number)


async def heard(log: EventLog, count: int, after: str | None = None) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    async with asyncio.timeout(PATIENCE), log.follow("run", after) as cursor:
        while len(found) < count:
            found += [(place, getattr(decoded(data), "value", "gap")) for place, data in await cursor.read(0.2)]
    return found


async def test_every_watcher_of_a_run_gets_its_events_in_order(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    with log.publishing() as sink:
        for number in range(100):
            sink.publish(*event(number))
            sink.publish(*event(number, "another"))

        watchers = await asyncio.gather(*(heard(log, 100) for _ in range(5)))

    assert [[value for _, value in watcher] for watcher in watchers] == [list(range(100))] * 5


async def test_who_comes_back_goes_on_after_its_last_event(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    with log.publishing() as sink:
        for number in range(10):
            sink.publish(*event(number))
        first = await heard(log, 10)

    assert await heard(log, 4, after=first[5][0]) == first[6:]


async def test_a_log_that_began_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    with log.publishing() as sink:
        sink.publish(*event(1))

        assert [value for _, value in await heard(log, 1, after="400")] == [1]


async def test_without_a_log_nothing_comes_until_there_is_one(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    async with log.follow("run", None) as cursor:
        assert await cursor.read(0.05) == []
        with log.publishing() as sink:
            sink.publish(*event(1))
            found: list[Any] = []
            async with asyncio.timeout(PATIENCE):
                while not found:
                    found = await cursor.read(0.2)

    assert len(found) == 1


def test_what_is_too_old_or_too_much_goes(tmp_path: Path) -> None:
    outlet = _Outlet(tmp_path / "events.db", keep=3_600, largest=1024 * 1024)
    with closing(outlet._connection):
        outlet.write([("run", bytes(50_000))] * 100)
        with outlet._connection as connection:
            connection.execute("UPDATE event SET at = 0 WHERE id <= 10")
        outlet._clean()

        kept, first = outlet._connection.execute("SELECT count(*), min(id) FROM event").fetchone()

    assert 10 < kept < 22
    assert first == 101 - kept


class Stuck:
    """Takes nothing until it is told to."""

    failures = (OSError,)

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.fails = True

    def write(self, events: Any) -> None:
        if self.fails:
            raise OSError("The server is gone: redis://user:secret-word@host.")
        self.taken += events

    def close(self) -> None:
        """Nothing to close."""


def test_a_full_queue_drops_events_does_not_wait_and_tells_of_the_gap() -> None:
    outlet = Stuck()
    publisher = Publisher(outlet, pause=0)
    for number in range(LONGEST_QUEUE + 10):
        publisher.publish(*event(number))
    outlet.fails = False
    publisher.start()
    publisher.stop()

    gaps = [found for found in map(decoded, (data for _, data in outlet.taken)) if found and found.type == "gap"]
    assert [gap.missed for gap in gaps] == [10]
    assert len(outlet.taken) == LONGEST_QUEUE + 1


def test_large_events_fill_the_queue_by_their_bytes() -> None:
    publisher = Publisher(Stuck(), pause=0)

    for _ in range(100):
        publisher.publish("run", bytes(1024 * 1024))

    assert publisher._queue.qsize() == 64


def test_a_transport_that_fails_is_told_masked_and_its_gap_later(monkeypatch: Any) -> None:
    monkeypatch.setattr("activities.publishing.AGAIN_SECONDS", 0)
    outlet = Stuck()
    publisher = Publisher(outlet, pause=0)
    with capture_logs() as logs:
        publisher.start()
        publisher.publish(*event(1))
        while not logs:
            time.sleep(0.01)
        outlet.fails = False
        publisher.publish(*event(2))
        publisher.stop()

    assert [found.type for found in map(decoded, (data for _, data in outlet.taken)) if found] == ["custom", "gap"]
    assert logs[0]["event"] == "events_lost"
    assert "secret-word" not in logs[0]["error"]


def test_a_log_that_another_process_holds_loses_events_and_takes_the_next_ones(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(event_log, "BUSY_SECONDS", 0.05)
    file = tmp_path / "events.db"
    with capture_logs() as logs, EventLog(file).publishing() as sink:
        with closing(sqlite3.connect(file, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            sink.publish(*event(1))
            while not logs:
                time.sleep(0.01)

        sink.publish(*event(2))

    with closing(sqlite3.connect(file)) as reader:
        told = [decoded(data) for (data,) in reader.execute("SELECT data FROM event")]
    assert [(found.type, found.sequence) for found in told if found] == [("custom", 2), ("gap", 0)]
