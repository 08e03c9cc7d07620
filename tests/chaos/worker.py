"""A worker: `python -m tests.chaos.worker ADDRESS QUEUE CACHED`. It ends well on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from temporalio.client import Client

from agents import Registry
from temporal.converter import DATA_CONVERTER
from temporal.settings import Settings, WorkerSettings
from temporal.worker import make_worker
from tests.chaos.agents import AGENTS, Planned
from tests.chaos.workers import AT_WORK_NOW


async def main(address: str, queue: str, cached: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = WorkerSettings(cached_workflows=int(cached), shutdown_seconds=2)
    worker = make_worker(
        await Client.connect(address, data_converter=DATA_CONVERTER),
        Settings(task_queue=queue, worker=settings),
        registry=Registry.of(AGENTS),
        model_id=lambda name: name or "planned",
        chat_model=lambda _id: Planned(),
    )
    async with worker:
        sys.stdout.write(f"{AT_WORK_NOW}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main(*sys.argv[1:]))
