"""A worker process with a vendor's client that a test may kill.

`python -m tests.integration.streaming ADDRESS QUEUE MODEL EVENTS`, where EVENTS is a file, or the URL of a server.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from temporalio.client import Client

from activities.event_log import EventLog
from activities.event_server import EventServer
from activities.providers import chat_model
from activities.publishing import EventTransport
from agents import Agent, Registry, Resources, StepOptions
from temporal.converter import DATA_CONVERTER
from temporal.settings import Settings
from temporal.worker import make_worker

PREFIX = "streaming:"


def build(resources: Resources) -> Any:
    return create_agent(resources.model(), resources.tools)


agent = Agent("streaming", build, model_step=StepOptions(attempts=10, heartbeat=timedelta(seconds=1)))


def transport_of(events: str) -> EventTransport:
    return EventServer(events, prefix=PREFIX, keep=600) if "://" in events else EventLog(Path(events))


async def main(address: str, queue: str, model: str, events: str) -> None:
    with transport_of(events).publishing() as sink:
        worker = make_worker(
            await Client.connect(address, data_converter=DATA_CONVERTER),
            Settings(task_queue=queue),
            registry=Registry.of([agent]),
            model_id=lambda _name: model,
            chat_model=partial(chat_model, environ={"OPENAI_API_KEY": "sk-none"}),
            events=sink,
        )
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
