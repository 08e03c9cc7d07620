"""`perdure worker` that hangs when it is told to stop: `python -m tests.acceptance.hanging SECONDS`."""

from __future__ import annotations

import asyncio
import sys

from temporalio.worker import Worker

from temporal import worker
from temporal.cli.worker import work
from temporal.settings import read_settings


async def hang(_worker: Worker) -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    Worker.shutdown = hang  # type: ignore[method-assign]
    worker.HANGING_SECONDS = int(sys.argv[1])
    work(read_settings())
