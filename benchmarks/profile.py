"""`python -m benchmarks.profile`: where the CPU of a step goes, in a bare workflow and in Perdure. Linux.

A thread looks at all threads of the worker every millisecond. What CPU time one has used since is charged to the
innermost package on its stack that is listed here; what a package calls outside the list is its own doing. CPU that no
Python thread used is that of Temporal's core, which is written in Rust. The load comes from another process. Looking
costs time itself: it is the shares that count.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pkgutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

from temporalio.client import Client

from benchmarks.job import STEPS
from benchmarks.load import Load, drive
from benchmarks.roster import BARE, PERDURE
from benchmarks.server import open_server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from benchmarks.roster import Contestant

INTERVAL = 0.001
SWITCH = 0.00005
"""Python's threads give way after so many seconds: else they are seen where they wait, and seldom where they work."""

PER_THREAD = 0b110
"""Linux: the bits of a clock's number that say that it counts what one thread uses."""

RUNS = 300
WARM_UP = 30
AT_ONCE = 10

CORE = "Temporal's core"
SDK = "Temporal's Python SDK"
LANG = "LangGraph and LangChain"
OWN = "Perdure"
LOOP = "asyncio and its threads"
IDLE = "idle"

OWNED = (LANG, OWN, SDK, LOOP)
OWNERS: Mapping[str, str] = {
    **dict.fromkeys(("agents", "activities", "workflows", "temporal"), OWN),
    **dict.fromkeys(("langgraph", "langchain", "langchain_core", "langsmith"), LANG),
    "temporalio": SDK,
}


def owner_of(frame: FrameType | None) -> str:
    """Whose code is running. `IDLE` for a thread of a pool that has nothing to do any more."""
    if frame is not None and frame.f_code.co_name == "_worker":
        return IDLE
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if owner := OWNERS.get(package):
            return owner
        frame = frame.f_back
    return LOOP


def shares(spent: Mapping[str, float]) -> dict[str, float]:
    """What a thread did before it was seen idle was what such threads do."""
    known = sum(spent.values()) - spent.get(IDLE, 0.0)
    return {owner: seconds * sum(spent.values()) / known for owner, seconds in spent.items() if owner != IDLE}


def processor_seconds(thread: threading.Thread) -> float | None:
    """What a thread has used of the processor; None for one that has ended meanwhile. The clock's number is made as
    Linux makes it from the kernel's id of the thread: `pthread_getcpuclockid` crashes for threads that have ended.
    """
    if thread.native_id is None:
        return None
    try:
        return time.clock_gettime(~thread.native_id << 3 | PER_THREAD)
    except OSError:
        return None


class Profiler(threading.Thread):
    """Seconds of CPU time by owner, of the threads that run workflows and of the others."""

    def __init__(self) -> None:
        super().__init__(name="profiler", daemon=True)
        self._workflows: dict[str, float] = defaultdict(float)
        self._others: dict[str, float] = defaultdict(float)
        self._used: dict[int, float] = {}
        self._ending = threading.Event()
        self._began = 0.0

    def run(self) -> None:
        sys.setswitchinterval(SWITCH)
        self._look()
        self._workflows.clear()
        self._others.clear()
        self._began = time.process_time()
        while not self._ending.wait(INTERVAL):
            self._look()

    def end(self) -> dict[str, float]:
        self._ending.set()
        self.join()
        core = time.process_time() - self._began - sum(self._workflows.values()) - sum(self._others.values())
        del self._others[self.name]
        workflows, others = shares(self._workflows), shares(self._others)
        return {CORE: core} | {owner: workflows.get(owner, 0.0) + others.get(owner, 0.0) for owner in OWNED}

    def _look(self) -> None:
        frames = sys._current_frames()  # noqa: SLF001 -- the documented way to look at all threads
        for thread in threading.enumerate():
            if (used := processor_seconds(thread)) is None or thread.ident is None:
                continue
            spent = self._workflows if thread.name.startswith("temporal_workflow_") else self._others
            owner = self.name if thread is self else owner_of(frames.get(thread.ident))
            spent[owner] += used - self._used.get(thread.ident, 0.0)
            self._used[thread.ident] = used


async def profile(contestant: Contestant, address: str, runs: int) -> dict[str, float]:
    """Milliseconds of CPU time for each step, by owner."""
    async with pkgutil.resolve_name(contestant.opens)(address, contestant.task_queue):
        await _load(contestant, address, WARM_UP)
        profiler = Profiler()
        profiler.start()
        await _load(contestant, address, runs)
        return {owner: spent / runs / STEPS * 1000 for owner, spent in profiler.end().items()}


async def _load(contestant: Contestant, address: str, runs: int) -> None:
    arguments = ("--drive", contestant.name, "--address", address, "--runs", str(runs))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.profile", *arguments)
    if await process.wait():
        raise SystemExit(f"The load of {contestant.name!r} failed.")


async def _drive(contestant: Contestant, address: str, runs: int) -> None:
    client = await Client.connect(address)

    job = contestant.job
    assert job is not None  # noqa: S101 -- both have one

    async def run(identifier: str) -> object:
        result = await client.execute_workflow(
            job.workflow, args=job.arguments, id=identifier, task_queue=contestant.task_queue
        )
        return result["output"] if isinstance(result, dict) else result

    await drive(run, Load(at_once=AT_ONCE, runs=runs))


async def _compare(runs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="perdure-profile-") as state, (Path(state) / "log").open("w") as log:
        async with open_server(Path(state)) as server:
            with redirect_stderr(log):
                bare = await profile(BARE, server.address, runs)
                perdure = await profile(PERDURE, server.address, runs)
    print(table(bare, perdure))


def table(bare: Mapping[str, float], perdure: Mapping[str, float]) -> str:
    lines = [_row("CPU, ms a step", "bare", "perdure", "more")]
    lines += [
        _row(owner, f"{bare.get(owner, 0):.2f}", f"{spent:.2f}", f"{spent - bare.get(owner, 0):.2f}")
        for owner, spent in sorted(perdure.items(), key=lambda item: -item[1])
    ]
    whole, more = sum(perdure.values()), sum(perdure.values()) - sum(bare.values())
    return "\n".join([*lines, _row("together", f"{sum(bare.values()):.2f}", f"{whole:.2f}", f"{more:.2f}")])


def _row(first: str, *others: str) -> str:
    return f"{first:<28}" + "".join(f"{other:>9}" for other in others)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs of each, {AT_ONCE} at once ({RUNS})")
    parser.add_argument("--drive", help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        contestant = {each.name: each for each in (BARE, PERDURE)}[options.drive]
        asyncio.run(_drive(contestant, options.address, options.runs))
    else:
        asyncio.run(_compare(options.runs))
    sys.stdout.flush()
    os._exit(0)  # without the interpreter's shutdown, in which Temporal's threads crash now and then


if __name__ == "__main__":
    main()
