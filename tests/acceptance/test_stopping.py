"""A worker that is told to stop ends, whatever hangs in it."""

from __future__ import annotations

import asyncio
import signal
import sys
import uuid
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.acceptance.conftest import PATIENCE, Place


@asynccontextmanager
async def hanging(place: Place, seconds: int) -> AsyncIterator[tuple[Process, Callable[[str], Awaitable[str]]]]:
    """A worker that never stops by itself, and what reads its log to a line with a word."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.acceptance.hanging", str(seconds)),
        env=place.environment | {"PERDURE_TASK_QUEUE": f"stop-{uuid.uuid4().hex[:8]}"},
        stdout=DEVNULL,
        stderr=PIPE,
    )
    assert process.stderr is not None
    log = process.stderr

    async def says(word: str) -> str:
        async with asyncio.timeout(PATIENCE):
            while word not in (line := (await log.readline()).decode()):
                assert line, f"The worker ended without a word of {word!r}."
        return line

    try:
        yield process, says
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_worker_that_hangs_is_ended(place: Place) -> None:
    async with hanging(place, 1) as (worker, says):
        await says("worker_started")
        worker.send_signal(signal.SIGTERM)

        assert "did not stop within 5 seconds" in await says("worker_ended")
        assert await worker.wait() == 1


async def test_a_second_ctrl_c_ends_a_worker_at_once(place: Place) -> None:
    async with hanging(place, 3_600) as (worker, says):
        await says("worker_started")
        worker.send_signal(signal.SIGINT)
        await says("worker_stopping")
        worker.send_signal(signal.SIGINT)

        assert "told to stop twice" in await says("worker_ended")
        assert await worker.wait() == 1
