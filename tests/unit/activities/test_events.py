"""Tokens reach any number of watchers, and never hold a run up."""

import asyncio
import sqlite3
import time
from contextlib import aclosing, closing

from structlog.testing import capture_logs

from activities import events
from activities.events import LONGEST_QUEUE, Token, TokenLog, _Writer


async def first(log: TokenLog, run: str, count: int) -> list[str]:
    texts: list[str] = []
    async with aclosing(log.follow(run)) as tokens:
        async for token in tokens:
            texts.append(token.text)
            if len(texts) == count:
                break
    return texts


async def test_every_watcher_of_a_run_gets_its_tokens_in_order(tmp_path) -> None:
    log = TokenLog(tmp_path / "tokens.db")
    with log.writing() as sink:
        for number in range(100):
            sink.publish(Token("run", "1", 1, str(number)))
            sink.publish(Token("another", "1", 1, "not yours"))

        watchers = await asyncio.gather(*(first(log, "run", 100) for _ in range(5)))

    assert watchers == [[str(number) for number in range(100)]] * 5


async def test_a_watcher_that_comes_late_gets_what_is_kept(tmp_path) -> None:
    log = TokenLog(tmp_path / "tokens.db")
    with log.writing() as sink:
        sink.publish(Token("run", "1", 1, "early"))
    with log.writing() as sink:
        sink.publish(Token("run", "2", 1, "late"))

        assert await first(log, "run", 2) == ["early", "late"]


async def test_without_a_log_a_watcher_gets_nothing_and_ends(tmp_path) -> None:
    assert [token async for token in TokenLog(tmp_path / "none.db").follow("run")] == []


def test_a_full_queue_drops_tokens_and_does_not_wait(tmp_path) -> None:
    writer = _Writer(tmp_path / "tokens.db")

    for number in range(LONGEST_QUEUE + 10):
        writer.publish(Token("run", "1", 1, str(number)))

    assert writer._queue.qsize() == LONGEST_QUEUE


def test_a_log_that_another_process_holds_loses_tokens_and_takes_the_next_ones(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(events, "BUSY_SECONDS", 0.05)
    file = tmp_path / "tokens.db"
    with capture_logs() as logs, TokenLog(file).writing() as sink:
        with closing(sqlite3.connect(file, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            sink.publish(Token("run", "1", 1, "lost"))
            while not logs:
                time.sleep(0.01)

        sink.publish(Token("run", "1", 1, "kept"))

    with closing(sqlite3.connect(file)) as reader:
        assert [text for (text,) in reader.execute("SELECT text FROM token")] == ["kept"]
    assert logs[0]["event"] == "tokens_lost"
    assert logs[0]["tokens"] == 1
