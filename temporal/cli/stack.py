"""`perdure dev`, and what it shares with `perdure demo`: the embedded stack with a worker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import typer

from activities.sources import InstalledDocumentation
from temporal.cli.display import open_display
from temporal.cli.errors import INTERRUPTED
from temporal.client import Agents, Run, RunExists, connect
from temporal.dev.process import Child, Command
from temporal.dev.stack import FixedPorts, Stack, open_stack
from temporal.dev.weaviate import Weaviate
from temporal.settings import read_environment
from temporal.storage import find_storage
from temporal.streams import event_transport
from temporal.target import Target
from workflows.contracts import AGENT_WORKFLOW, IngestInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from temporal.cli.display import Display
    from temporal.dev.addresses import StackAddresses
    from temporal.settings import Settings

Value = TypeVar("Value")

COLLECTION = "docs"
EXAMPLE = "How is an activity notified that it was cancelled?"
WEAVIATE_GRPC_PORT = 50051


@dataclass(frozen=True, slots=True)
class Local:
    """A stack of this machine's own, with a client of it."""

    stack: Stack
    agents: Agents

    async def start_worker(self) -> Child:
        """A worker in a process of its own. It may be killed; what it left undone goes on in the next."""
        return await self.stack.start(_worker_command(self.stack.addresses))

    async def ingest_documentation(self) -> Run:
        """The ingestion of what installed packages document, or the one that is at work already."""
        given = IngestInput(collection=COLLECTION, source=InstalledDocumentation())
        try:
            return await self.agents.ingest(given)
        except RunExists:
            return await self.agents.find(f"ingest-{COLLECTION}")

    async def unless_crashed(self, work: Coroutine[Any, Any, Value]) -> Value:
        """The value of `work`. A server or worker that ends by itself ends the work, with the end of its log."""
        crash = asyncio.create_task(self.stack.crashed())
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({crash, task}, return_when=asyncio.FIRST_COMPLETED)
            if crash.done():
                raise crash.result()
            return await task
        finally:
            crash.cancel()
            task.cancel()


@asynccontextmanager
async def open_local(settings: Settings, display: Display) -> AsyncIterator[Local]:
    def show(component: str, message: str) -> None:
        display.status(f"{component}: {message}")

    ports = FixedPorts(
        temporal=settings.dev.temporal_port, ui=settings.dev.ui_port, weaviate=settings.dev.weaviate_port
    )
    async with open_stack(settings.state, weaviate=_weaviate(settings), ports=ports, progress=show) as stack:
        display.status("")
        addresses = stack.addresses
        origin = f"the stack in {str(settings.state)!r}"
        target = Target(
            addresses.temporal_address,
            addresses.namespace,
            origin,
            settings.ui_url or addresses.ui_url,
            storage=find_storage(settings, addresses.temporal_address, read_environment()),
        )
        transport = event_transport(settings, target.namespace)
        yield Local(stack, Agents(await connect(target), target, settings.task_queue, transport))


def _weaviate(settings: Settings) -> Weaviate | Path | None:
    """A server of the operator's own, the binary to start, or None to have one found."""
    chosen = settings.weaviate
    if chosen.url is None:
        return chosen.binary
    return Weaviate(
        http_url=chosen.url,
        grpc_host=chosen.grpc_host or urlsplit(chosen.url).hostname or "localhost",
        grpc_port=chosen.grpc_port or WEAVIATE_GRPC_PORT,
        api_key=chosen.api_key.get_secret_value() if chosen.api_key else None,
    )


def _worker_command(addresses: StackAddresses) -> Command:
    """Of Temporal's variables it sees this stack's alone; an empty one hides what `.env` says."""
    hidden = dict.fromkeys((name for name in read_environment() if name.startswith("TEMPORAL_")), "")
    return Command(
        name="worker",
        arguments=(sys.executable, "-m", "temporal.cli", "worker"),
        environment={
            **os.environ,
            **hidden,
            "TEMPORAL_ADDRESS": addresses.temporal_address,
            "TEMPORAL_NAMESPACE": addresses.namespace,
            "PERDURE_STATE": str(addresses.state),
        },
        log=addresses.state / "logs" / "worker.log",
    )


def run_dev(settings: Settings) -> None:
    with open_display() as display:
        until_interrupted(_dev(settings, display), code=0)


async def _dev(settings: Settings, display: Display) -> None:
    async with open_local(settings, display) as local:
        worker = await local.start_worker()
        ingestion = await local.ingest_documentation()
        for line in _welcome(local, worker, ingestion):
            display.note(line)
        raise await local.stack.crashed()


def _welcome(local: Local, worker: Child, ingestion: Run) -> list[str]:
    addresses = local.stack.addresses
    options = f"--address {addresses.temporal_address} --task-queue {local.agents.task_queue} --type {AGENT_WORKFLOW}"
    started = f'{{"agent": "research", "input": "{EXAMPLE}"}}'
    return [
        f"Temporal   {addresses.temporal_address} (namespace {addresses.namespace!r})",
        f"Web UI     {addresses.ui_url}",
        f"Weaviate   {addresses.weaviate_http_url}",
        f"Worker     pid {worker.pid}, log {worker.command.log}",
        f"Documents  are read into collection {COLLECTION!r} by run {ingestion.id}",
        "",
        f'Ask something:  perdure run research "{EXAMPLE}"',
        f"Or:  temporal workflow start {options} --input '{started}'",
        "Ctrl-C stops everything.",
    ]


def until_interrupted(work: Coroutine[Any, Any, None], *, code: int = INTERRUPTED) -> None:
    """Runs `work`; Ctrl-C and SIGTERM close what it opened and end the command with `code`."""
    try:
        asyncio.run(_cancelled_by_sigterm(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(code) from None


async def _cancelled_by_sigterm(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    await task
