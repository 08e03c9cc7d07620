"""The embedded transport: an append log in SQLite, which the processes of one machine share and which survives a crash.

What is older than `keep` seconds, or more than `largest` bytes, is removed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from activities.publishing import publishing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from activities.events import EventSink
    from activities.publishing import Cursor, Told

KEEP_SECONDS = 24 * 3_600.0
LARGEST = 256 * 1024 * 1024
CLEAN_SECONDS = 60.0
BUSY_SECONDS = 5
PAUSE_SECONDS = 0.02
"""What comes in such a time is written at once: a transaction for each word would cost more than the word."""

PAGES_AHEAD = 4_000
"""Pages of 4 kB that wait for their place in the file: to move them takes as long as to write them."""

POLL_SECONDS = 0.01
IDLE_POLL_SECONDS = 0.05
IDLE_AFTER = 10.0
MOST_AT_ONCE = 500

MOST_ROWS = 5_000
"""Of one statement, which is a transaction: with one for each row, the thread would take Python's lock as often."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, data BLOB NOT NULL, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS event_run ON event (run, id);
"""


class EventLog:
    """The log in `file`. Any number of processes write and read it."""

    def __init__(self, file: Path, *, keep: float = KEEP_SECONDS, largest: int = LARGEST) -> None:
        self.file = file
        self._keep = keep
        self._largest = largest

    def publishing(self) -> AbstractContextManager[EventSink]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        return publishing(_Outlet(self.file, self._keep, self._largest), pause=PAUSE_SECONDS)

    @asynccontextmanager
    async def follow(self, run: str, after: str | None) -> AsyncIterator[Cursor]:
        """Where there is no log, as on a machine without workers, nothing comes."""
        cursor = _Cursor(self.file, run, int(after) if after else 0)
        try:
            yield cursor
        finally:
            cursor.close()


class _Outlet:
    failures = (sqlite3.Error,)

    def __init__(self, file: Path, keep: float, largest: int) -> None:
        self._connection = _connect(file)  # from here on there is a log to follow
        self._connection.executescript(SCHEMA)
        self._keep = keep
        self._largest = largest
        self._cleaned = 0.0

    def write(self, events: Sequence[Told]) -> None:
        now = time.time()
        for start in range(0, len(events), MOST_ROWS):
            part = events[start : start + MOST_ROWS]
            rows = ", ".join(["(?, ?, ?)"] * len(part))
            values = [value for run, data in part for value in (run, data, now)]
            self._connection.execute(f"INSERT INTO event (run, data, at) VALUES {rows}", values)  # noqa: S608 -- places for values
        if time.monotonic() - self._cleaned > CLEAN_SECONDS:
            self._cleaned = time.monotonic()
            self._clean()

    def _clean(self) -> None:
        self._connection.execute("DELETE FROM event WHERE at < ?", (time.time() - self._keep,))
        while self._used() > self._largest:  # the oldest eighth
            self._connection.execute(
                "DELETE FROM event WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 8 FROM event)"
            )

    def _used(self) -> int:
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def close(self) -> None:
        self._connection.close()


class _Cursor:
    def __init__(self, file: Path, run: str, after: int) -> None:
        self._file = file
        self._run = run
        self._after = after
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._stirred = time.monotonic()

    async def read(self, wait: float) -> list[tuple[str, str]]:
        deadline = time.monotonic() + wait
        # the writer is another process, which has no other way of saying that there is something
        while not (found := self._next()) and (now := time.monotonic()) < deadline:  # noqa: ASYNC110 -- see above
            await asyncio.sleep(POLL_SECONDS if now - self._stirred < IDLE_AFTER else IDLE_POLL_SECONDS)
        if found:
            self._stirred = time.monotonic()
        return found

    def _next(self) -> list[tuple[str, str]]:
        """Nothing is looked for while nobody has written: asking for that takes microseconds."""
        if self._connection is None and not self._open():
            return []
        assert self._connection is not None  # noqa: S101 -- for the type checker
        [version] = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return []
        rows = self._connection.execute(
            "SELECT id, data FROM event WHERE run = ? AND id > ? ORDER BY id LIMIT ?",
            (self._run, self._after, MOST_AT_ONCE),
        ).fetchall()
        if len(rows) < MOST_AT_ONCE:
            self._version = version
        if rows:
            self._after = rows[-1][0]
        return [(str(place), data.decode()) for place, data in rows]

    def _open(self) -> bool:
        if not self._file.exists():
            return False
        connection = _connect(self._file)
        try:
            last = connection.execute("SELECT max(id) FROM event").fetchone()[0] or 0
        except sqlite3.OperationalError:  # whoever makes it has not come to the table yet
            connection.close()
            return False
        if self._after > last:  # another log: this one has begun anew
            self._after = 0
        self._connection = connection
        return True

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_AHEAD}")
    return connection
