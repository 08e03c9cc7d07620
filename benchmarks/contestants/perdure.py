"""Perdure as `perdure worker` serves it, with its logs and its token log; by default, and in Temporal's sandbox."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from langchain.agents import create_agent

from agents import Agent, Registry
from benchmarks.job import TOOLS, model
from temporal.client import connect, token_log
from temporal.settings import Settings, WorkerSettings
from temporal.target import Target
from temporal.telemetry import configure_logging, forwarding_runtime
from temporal.worker import make_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agents import Resources
    from agents.agent import Graph

MODEL = "scripted"


def build(resources: Resources) -> Graph:
    return create_agent(resources.model(), resources.tools)


AGENT = Agent(name="orders", build=build, tools=TOOLS)


@asynccontextmanager
async def opened(address: str, task_queue: str, *, sandbox: bool = False) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory() as state:
        settings = Settings(
            _env_file=None,
            state=Path(state),
            task_queue=task_queue,
            worker=WorkerSettings(sandbox=sandbox),
        )
        configure_logging(settings.log)
        client = await connect(Target(address, "default", "the benchmark"), runtime=forwarding_runtime())
        chat_model = model()
        with token_log(settings).writing() as tokens:
            async with make_worker(
                client,
                settings,
                registry=Registry.of([AGENT]),
                model_id=lambda name: name or MODEL,
                chat_model=lambda _id: chat_model,
                tokens=tokens,
            ):
                yield


@asynccontextmanager
async def opened_sandboxed(address: str, task_queue: str) -> AsyncIterator[None]:
    async with opened(address, task_queue, sandbox=True):
        yield
