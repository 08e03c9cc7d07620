"""What a run tells its watchers while a step is still running: the tokens of a model's answer.

Tokens never pass through Temporal's history. Here they go through an append log in SQLite, which the processes of one
machine share. A watcher elsewhere sees the steps alone.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

KEPT_SECONDS = 3_600
CLEAN_SECONDS = 60
BUSY_SECONDS = 5
STOP_SECONDS = 5
POLL_SECONDS = 0.03
GATHER_SECONDS = 0.02
"""What comes in such a time is written at once: a transaction for each word would cost more than the word."""
LONGEST_QUEUE = 10_000
"""Events. A watcher is not worth a run: what the disk does not take in time is dropped."""

log = structlog.stdlib.get_logger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL, text TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS token_run ON token (run, id);
"""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a model's answer. A higher `attempt` of a step replaces all that lower ones said."""

    run: str
    step: str
    attempt: int
    text: str


class TokenSink(Protocol):
    """Takes tokens in order. Never blocks and never raises: the run goes on without its watchers."""

    def publish(self, token: Token) -> None: ...


class NoTokens:
    """The sink of a worker that nobody can watch."""

    def publish(self, token: Token) -> None:
        """Forget it."""


class TokenLog:
    """The log in `file`. One process writes through `writing`, any number read by `follow`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @contextmanager
    def writing(self) -> Iterator[TokenSink]:
        """A sink whose thread writes what has gathered, in one transaction, and ends with the block."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        _connect(self._file).close()  # from here on there is a log to follow
        writer = _Writer(self._file)
        writer.start()
        try:
            yield writer
        finally:
            writer.stop()

    async def follow(self, run: str) -> AsyncIterator[Token]:
        """The run's tokens as they come, without end. Ends at once where there is no log."""
        if not self._file.exists():
            return
        last = 0
        with closing(_connect(self._file)) as connection:
            while True:
                rows = connection.execute(
                    "SELECT id, step, attempt, text FROM token WHERE run = ? AND id > ? ORDER BY id", (run, last)
                ).fetchall()
                for last, step, attempt, text in rows:  # noqa: B007 -- it is where the next look begins
                    yield Token(run, step, attempt, text)
                await asyncio.sleep(POLL_SECONDS)


class _Writer(threading.Thread):
    def __init__(self, file: Path) -> None:
        super().__init__(name="perdure-tokens", daemon=True)
        self._file = file
        self._queue: queue.SimpleQueue[Token | None] = queue.SimpleQueue()
        self._ending = threading.Event()

    def publish(self, token: Token) -> None:
        if self._queue.qsize() < LONGEST_QUEUE:
            self._queue.put(token)

    def stop(self) -> None:
        """What is queued is still written, unless the disk does not take it."""
        self._ending.set()
        self._queue.put(None)
        self.join(STOP_SECONDS)

    def run(self) -> None:
        with closing(_connect(self._file)) as connection:
            cleaned = 0.0
            while not (self._ending.is_set() and self._queue.empty()):
                tokens = self._gathered()
                try:
                    _write(connection, tokens)
                    if time.monotonic() - cleaned > CLEAN_SECONDS:
                        _clean(connection)
                        cleaned = time.monotonic()
                except sqlite3.Error as error:  # a full disk, a lock held for long
                    log.warning("tokens_lost", tokens=len(tokens), error=str(error))

    def _gathered(self) -> list[Token]:
        """Waits for the first. `None` only wakes the thread."""
        tokens = [self._queue.get()]
        self._ending.wait(GATHER_SECONDS)
        while not self._queue.empty():
            tokens.append(self._queue.get_nowait())
        return [token for token in tokens if token is not None]


def _clean(connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("DELETE FROM token WHERE at < ?", (time.time() - KEPT_SECONDS,))


def _write(connection: sqlite3.Connection, tokens: list[Token]) -> None:
    now = time.time()
    rows = [(token.run, token.step, token.attempt, token.text, now) for token in tokens]
    with connection:
        connection.executemany("INSERT INTO token (run, step, attempt, text, at) VALUES (?, ?, ?, ?, ?)", rows)


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(SCHEMA)
    return connection
