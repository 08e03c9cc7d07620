"""What threads cost in which nobody says anything: memory and CPU of their worker, before and after they are there."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.chat import answer, question
from benchmarks.process import ContestantFailed, start
from benchmarks.roster import PERDURE
from benchmarks.server import open_server
from workflows.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from temporalio.client import Client, WorkflowHandle

    from benchmarks.process import ContestantProcess
    from benchmarks.server import Server

    Handle = WorkflowHandle[Any, Any]

THREADS = 10_000
AT_ONCE = 50
WATCHED = 20.0
"""Seconds over which the CPU of an idle worker is taken."""

WOKEN = 50
"""Threads that are woken afterwards, one at a time."""

EVERY = 1_000


@dataclass(frozen=True)
class Load:
    """Of the worker and the server while nothing happens: megabytes, and milliseconds of CPU a second."""

    worker_memory: float
    worker_cpu: float
    server_cpu: float


@dataclass(frozen=True)
class Idle:
    """`begun` is in seconds, for all threads; `woken` are the milliseconds of the turns that woke some of them."""

    threads: int
    before: Load
    after: Load
    begun: float
    woken: Sequence[float]
    server_version: str


async def keep_idle(threads: int, *, progress: Callable[[str], None]) -> Idle:
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as folder:
        state = Path(folder)
        async with open_server(state) as server, start(PERDURE, server.address, state) as process:
            await process.ready()
            # The first turns of a process pay for what is loaded with them.
            await _begin(server.client, AT_ONCE, lambda _done: None)
            before = await _load(process, server)
            progress(f"before: {before}")
            began = time.perf_counter()
            handles = await _begin(server.client, threads, lambda done: progress(f"{done:,} threads"))
            begun = time.perf_counter() - began
            after = await _load(process, server)
            progress(f"after: {after}")
            woken = [await _turn(handle, 2) for handle in handles[:: max(threads // WOKEN, 1)]]
            return Idle(threads, before, after, begun, woken, server.version)


async def _begin(client: Client, threads: int, progress: Callable[[int], None]) -> list[Handle]:
    """So many threads, each of which has had its first turn."""
    limit, done = asyncio.Semaphore(AT_ONCE), 0

    async def begin() -> Handle:
        nonlocal done
        assert PERDURE.chat is not None  # noqa: S101 -- it holds one
        async with limit:
            started = await client.start_workflow(
                PERDURE.chat.workflow,
                args=PERDURE.chat.arguments,
                id=f"idle-{uuid.uuid4().hex}",
                task_queue=PERDURE.task_queue,
            )
            handle = client.get_workflow_handle(started.id)
            await _turn(handle, 1)
        done += 1
        if done % EVERY == 0:
            progress(done)
        return handle

    return await asyncio.gather(*(begin() for _ in range(threads)))


async def _turn(handle: Handle, number: int) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    given = {"input": question(number), "wait": True}
    turn: Turn = await handle.execute_update("send", given, result_type=Turn)
    if turn.output != answer(number):
        raise ContestantFailed(f"{handle.id} said {turn.output!r}, not {answer(number)!r}.")
    return (time.perf_counter() - began) * 1_000


async def _load(process: ContestantProcess, server: Server) -> Load:
    worker, other = await process.cpu(), server.cpu() or 0
    await asyncio.sleep(WATCHED)
    memory = _memory(process.process.pid)
    used = await process.cpu() - worker, (server.cpu() or 0) - other
    return Load(memory, *(each / WATCHED * 1_000 for each in used))


def _memory(pid: int) -> float:
    """Megabytes of memory that it has; 0 on systems without /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except FileNotFoundError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2
