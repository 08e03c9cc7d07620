"""The order of a pass: in each round every contestant is measured under every load, one after another."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.load import Load
from benchmarks.measure import Measurement, measure
from benchmarks.process import start
from benchmarks.roster import ROSTER
from benchmarks.server import open_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from benchmarks.process import ContestantProcess
    from benchmarks.roster import Contestant
    from benchmarks.server import Server

LOADS = (Load(at_once=1, runs=8), Load(at_once=10, runs=40))
WARM_UP = Load(at_once=10, runs=10)


@dataclass(frozen=True)
class Sample:
    """What one contestant did under one load in one round."""

    round: int
    contestant: Contestant
    load: Load
    measured: Measurement


@dataclass(frozen=True)
class Pass:
    """All samples of a pass, in the order in which they were taken."""

    samples: Sequence[Sample]
    rounds: int
    server_version: str


async def run_rounds(rounds: int, *, progress: Callable[[str], None]) -> Pass:
    samples: list[Sample] = []
    async with _opened(progress) as (server, processes):
        for number in range(1, rounds + 1):
            # There and back, so that nobody is always the one who follows the same neighbour.
            order = processes if number % 2 else processes[::-1]
            for load in LOADS:
                for process in order:
                    sample = Sample(number, process.contestant, load, await measure(process, server, load))
                    samples.append(sample)
                    progress(_line(sample, rounds))
        return Pass(samples, rounds, server.version)


@asynccontextmanager
async def _opened(progress: Callable[[str], None]) -> AsyncIterator[tuple[Server, list[ContestantProcess]]]:
    """The server and the contestants, who are warm: each has done its job a few times."""
    async with AsyncExitStack() as opened:
        state = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="perdure-bench-")))
        progress("Starting Temporal's dev server and a process for each contestant.")
        server = await opened.enter_async_context(open_server(state))
        processes = [
            await opened.enter_async_context(start(contestant, server.address, state)) for contestant in ROSTER
        ]
        for process in processes:
            await process.ready()
        progress("Warming up.")
        for process in processes:
            await measure(process, server, WARM_UP)
        yield server, processes


def _line(sample: Sample, rounds: int) -> str:
    measured = sample.measured
    return (
        f"round {sample.round}/{rounds}  {sample.load.at_once:>2} in flight  {sample.contestant.name:<20}  "
        f"p50 {measured.latency:7.1f} ms  {measured.rate:6.1f} runs/s  worker {measured.worker_cpu:6.1f} ms CPU/run"
    )
