"""What a user has: the embedded stack, a worker in a process of its own, the command line."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from activities.event_log import EventLog
from temporal.client import Agents, connect
from temporal.dev.process import Child, Command
from temporal.dev.stack import Stack
from temporal.settings import read_settings
from temporal.target import Target, find_target
from workflows.contracts import IngestInput

SCRIPTS = Path(sys.executable).parent
PATIENCE = 120.0
"""Seconds. A deadline, not a time that anything is expected to take."""


@dataclass(frozen=True)
class Finished:
    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Place:
    """A running stack, as seen from a shell in which `perdure` and `temporal` are on the path."""

    stack: Stack
    environment: dict[str, str]

    @property
    def target(self) -> Target:
        settings = read_settings()
        return find_target(settings.model_copy(update={"state": self.stack.addresses.state}), self.environment)

    async def agents(self) -> Agents:
        return Agents(
            await connect(self.target), self.target, "perdure", EventLog(self.stack.addresses.state / "events.db")
        )

    async def start_worker(self, **variables: str) -> Child:
        return await self.stack.start(
            Command(
                name="worker",
                arguments=(sys.executable, "-m", "temporal.cli", "worker"),
                environment=self.environment | variables,
                log=self.stack.addresses.state / "logs" / "worker.log",
            )
        )

    async def call(self, *arguments: str, given: str | None = None, **variables: str) -> Finished:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            env=self.environment | variables,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            output, errors = await process.communicate((given or "").encode())
        return Finished(process.returncode or 0, output.decode(), errors.decode())


@pytest.fixture(scope="session")
def place(stack: Stack) -> Place:
    hidden = ("PERDURE_", "TEMPORAL_", "OPENAI_", "ANTHROPIC_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    addresses = stack.addresses
    return Place(
        stack,
        {
            **inherited,
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "PERDURE_STATE": str(addresses.state),
            "TEMPORAL_ADDRESS": addresses.temporal_address,
            "NO_COLOR": "1",
        },
    )


@pytest.fixture(scope="session")
async def served(place: Place) -> AsyncIterator[Place]:
    """The place with a worker, and with the installed documentation in collection `docs`."""
    worker = await place.start_worker()
    agents = await place.agents()
    source = {"kind": "installed", "distributions": ["temporalio", "structlog", "langgraph", "weaviate-client"]}
    ingestion = await agents.ingest(IngestInput.model_validate({"collection": "docs", "source": source}))
    await ingestion.ingested()
    yield place
    await worker.stop()
