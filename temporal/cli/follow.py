"""Follows a run to its end on a display. Runs in the command line's process."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from temporal.cli.errors import say
from workflows.contracts import INGEST_WORKFLOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from temporal.cli.display import Display
    from temporal.client import Run
    from temporal.steps import Step

INTERVAL = 1.0


async def follow(run: Run, display: Display) -> None:
    """Shows the steps of `run` until it is over, and says so while no worker takes it up."""
    async for _ in followed(run, display):
        pass


async def followed(run: Run, display: Display) -> AsyncIterator[Step]:
    """As `follow`, for a caller that acts on steps: each has been shown when it is yielded."""
    watching = [asyncio.create_task(_announce_waiting(run, display))]
    if run.kind == INGEST_WORKFLOW:
        watching.append(asyncio.create_task(_report_progress(run, display)))
    try:
        async for step in run.steps():
            display.step(step)
            yield step
    finally:
        for task in watching:
            task.cancel()
        display.status("")


async def _announce_waiting(run: Run, display: Display) -> None:
    waited = announced = False
    while True:
        await asyncio.sleep(INTERVAL)
        waits = await run.waits_for_worker()
        if waits and waited and not announced:
            queue = run.task_queue
            display.note(f"No worker of task queue {queue!r} takes up the run; it waits. Start one: `perdure worker`.")
            announced = True
        elif announced and not waits:
            display.note("A worker took it up.")
            announced = False
        waited = waits


async def _report_progress(run: Run, display: Display) -> None:
    while True:
        progress = await run.ingest_progress()
        if progress and progress.listed:
            display.status(f"{progress.done:,} of {progress.listed:,} documents, {progress.chunks:,} chunks")
        await asyncio.sleep(INTERVAL)


@contextmanager
def leaving_it_alive(run: Run) -> Iterator[None]:
    """Ctrl-C ends the watching, never the run."""
    try:
        yield
    except asyncio.CancelledError:
        say(f"Run {run.id!r} goes on. Come back with `perdure result {run.id}`.")
        raise
