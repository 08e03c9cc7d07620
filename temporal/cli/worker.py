"""`perdure worker`: one worker process, until it is told to stop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from temporal.logs import configure_logging
from temporal.worker import run_worker

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from temporal.settings import Settings


def work(settings: Settings) -> None:
    """SIGINT and SIGTERM are how it is asked to stop, so they end it well."""
    configure_logging(settings.log)
    run_to_the_end(run_worker(settings))


def run_to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """As `asyncio.run`, but for a `SystemExit` in one of its tasks, which ends that: it is of a step that waits for the
    task and is told, and must not end the worker with all other steps.
    """
    with asyncio.Runner() as runner:
        task = runner.get_loop().create_task(work)
        while not task.done():
            with suppress(SystemExit):
                runner.run(_ended(task))
        task.result()


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})
