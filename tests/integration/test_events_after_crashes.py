"""kill -9 of the worker in the middle of what its models say, again and again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.events import ResetEvent, ResultEvent, TokenEvent, UpdateEvent
from temporal.client import Agents, Run
from temporal.dev.stack import Stack
from temporal.target import Target
from temporal.writing import Writing
from tests.integration.event_server import serve_events
from tests.integration.provider_server import Provider, Reply, serve_provider
from tests.integration.streaming import transport_of

PATIENCE = 120.0
RUNS = 5
ANSWER = "Everything that was said is said once."


@pytest.fixture(params=["embedded", "redis"])
def events(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "embedded":
        yield str(tmp_path / "events.db")
        return
    with serve_events() as url:
        yield url


class Watcher:
    """What one watcher puts together from tokens and resets alone."""

    def __init__(self) -> None:
        self.writing = Writing()
        self.resets: list[int | None] = []
        self.heard = 0
        self.result: ResultEvent | None = None

    async def watch(self, run: Run) -> None:
        async with asyncio.timeout(PATIENCE), aclosing(run.events()) as following:
            async for event in following:
                if not isinstance(event, UpdateEvent):
                    self.writing.apply(event)
                if isinstance(event, ResetEvent):
                    self.resets.append(event.attempt)
                    self.heard = 0
                if isinstance(event, TokenEvent):
                    self.heard += 1
                if isinstance(event, ResultEvent):
                    self.result = event


async def test_what_a_watcher_puts_together_is_the_answer_after_twenty_broken_streams(
    client: Client, stack: Stack, events: str
) -> None:
    kills = 1 if "://" in events else 4
    queue = f"streaming-{uuid.uuid4().hex[:8]}"
    agents = Agents(client, Target("test", "default", "a test"), queue, transport_of(events))
    with serve_provider() as provider:
        for kill in range(kills):
            provider.will_reply(
                *[Reply(text=f"Said in vain for the {kill}th time, and then again.", stalled=True)] * RUNS
            )
        provider.will_reply(*[Reply(text=ANSWER)] * RUNS)
        watchers = [Watcher() for _ in range(RUNS)]
        watching = [
            asyncio.create_task(watcher.watch(await agents.start("streaming", "Speak."))) for watcher in watchers
        ]
        for kill in range(kills):
            worker = await _worker(stack, queue, provider, events)
            await _until_all_are_in_the_middle(watchers, attempt=kill + 1)
            os.kill(worker.pid, signal.SIGKILL)
            await worker.wait()
        worker = await _worker(stack, queue, provider, events)
        await asyncio.gather(*watching)
        worker.terminate()
        await worker.wait()

    for watcher in watchers:
        assert watcher.result is not None
        assert watcher.result.output.strip() == ANSWER
        assert watcher.writing.text == watcher.result.output
        assert len(watcher.writing.messages) == 1
        assert watcher.resets == list(range(2, kills + 2))


async def _worker(stack: Stack, queue: str, provider: Provider, events: str) -> asyncio.subprocess.Process:
    module = "tests.integration.streaming"
    address = stack.addresses.temporal_address
    return await asyncio.create_subprocess_exec(sys.executable, "-m", module, address, queue, provider.model, events)


async def _until_all_are_in_the_middle(watchers: list[Watcher], *, attempt: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while not all(watcher.heard >= 3 and len(watcher.resets) == attempt - 1 for watcher in watchers):
            await asyncio.sleep(0.05)
