"""The embedded stack: opens Temporal's dev server and Weaviate together and closes them together.

Example: `async with open_stack(Path(".perdure")) as stack: raise await stack.crashed()`.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from temporal.dev.addresses import StackAddresses, published
from temporal.dev.dev_server import DevServer, start_dev_server
from temporal.dev.errors import ChildCrashedError
from temporal.dev.fetch import fetch_weaviate
from temporal.dev.lock import LOCK_NAME, hold_state
from temporal.dev.process import Child, Command, Probe
from temporal.dev.progress import Progress, silent
from temporal.dev.supervisor import Supervisor
from temporal.dev.weaviate import Weaviate, require_ready, start_weaviate

First = TypeVar("First")
Second = TypeVar("Second")


@dataclass(frozen=True, kw_only=True)
class FixedPorts:
    """Ports asked for by number; the others are chosen among the free ones."""

    temporal: int | None = None
    ui: int | None = None
    weaviate: int | None = None


@dataclass(frozen=True)
class Stack:
    """A stack that runs and is healthy."""

    addresses: StackAddresses
    supervisor: Supervisor

    async def start(self, command: Command, *, ready: Probe | None = None, within: float = 60.0) -> Child:
        """Run one more child that shares the stack's fate, such as a worker."""
        return await self.supervisor.start(command, ready=ready, within=within)

    async def crashed(self) -> ChildCrashedError:
        """Wait for the first child that ends though nobody stopped it, and return what is known of it."""
        return await self.supervisor.crashed()


@asynccontextmanager
async def open_stack(
    state: Path,
    *,
    weaviate: Weaviate | Path | None = None,
    namespace: str = "default",
    ports: FixedPorts = FixedPorts(),
    progress: Progress = silent,
) -> AsyncIterator[Stack]:
    """Start both servers over the folder `state`, yield once they are healthy, and stop them on the way out.

    `weaviate` is a server that somebody else runs, the path of a binary, or None to have one found: see
    `weaviate_binary.py`. Raises a StackError that says what to do.
    """
    state = _made(state)
    async with (
        hold_state(state) as lock,
        Supervisor(lock, state / LOCK_NAME) as supervisor,
    ):
        temporal, store = await _both(
            _open_temporal(supervisor, state, namespace, ports, progress),
            _open_weaviate(supervisor, state, weaviate, ports, progress),
        )
        addresses = _addresses(state, namespace, temporal, store)
        with published(addresses):
            yield Stack(addresses, supervisor)


def _made(state: Path) -> Path:
    """Make the folder, for this user alone: it holds keys and conversations."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state.resolve()


async def _open_temporal(
    supervisor: Supervisor, state: Path, namespace: str, ports: FixedPorts, progress: Progress
) -> DevServer:
    began = time.monotonic()
    progress("temporal", "starting")
    server = await start_dev_server(supervisor, state, namespace=namespace, port=ports.temporal, ui_port=ports.ui)
    progress("temporal", f"ready after {time.monotonic() - began:.1f} s")
    return server


async def _open_weaviate(
    supervisor: Supervisor,
    state: Path,
    choice: Weaviate | Path | None,
    ports: FixedPorts,
    progress: Progress,
) -> Weaviate:
    if isinstance(choice, Weaviate):
        return await require_ready(choice)
    log = state / "logs" / "weaviate-build.log"
    binary = await fetch_weaviate(supervisor, choice, log=log, progress=progress)
    began = time.monotonic()
    progress("weaviate", "starting")
    server = await start_weaviate(supervisor, state, binary, port=ports.weaviate)
    progress("weaviate", f"ready after {time.monotonic() - began:.1f} s")
    return server


async def _both(first: Coroutine[None, None, First], second: Coroutine[None, None, Second]) -> tuple[First, Second]:
    """Await both together. When one fails the other is called off, and the failure is raised as it is."""
    try:
        async with asyncio.TaskGroup() as together:
            one, two = together.create_task(first), together.create_task(second)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return one.result(), two.result()


def _addresses(state: Path, namespace: str, temporal: DevServer, store: Weaviate) -> StackAddresses:
    return StackAddresses(
        owner_pid=os.getpid(),
        state=state,
        temporal_address=temporal.address,
        namespace=namespace,
        ui_url=temporal.ui_url,
        temporal_log=temporal.log,
        weaviate_http_url=store.http_url,
        weaviate_grpc_host=store.grpc_host,
        weaviate_grpc_port=store.grpc_port,
        weaviate_api_key=store.api_key,
        weaviate_log=store.log,
    )
