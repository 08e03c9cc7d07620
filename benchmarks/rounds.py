"""The order of a pass: in each round every contestant is measured under every load, one after another."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.load import Load
from benchmarks.measure import measure
from benchmarks.process import start
from benchmarks.roster import ROSTER
from benchmarks.server import open_server
from benchmarks.summary import Sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from benchmarks.process import ContestantProcess
    from benchmarks.roster import Contestant
    from benchmarks.server import Server

LOADS = (Load(at_once=1, runs=8), Load(at_once=10, runs=40), Load(at_once=50, runs=100))
WARM_UP = Load(at_once=10, runs=10)


@dataclass(frozen=True)
class Pass:
    """All samples of a pass, in the order in which they were taken."""

    samples: Sequence[Sample]
    rounds: int
    server_version: str


async def run_rounds(
    rounds: int,
    *,
    progress: Callable[[str], None],
    roster: Sequence[Contestant] = ROSTER,
    loads: Sequence[Load] = LOADS,
    warm_up: Load = WARM_UP,
) -> Pass:
    samples: list[Sample] = []
    async with _opened(progress, roster) as (server, processes):
        progress("Warming up.")
        for process in processes:
            await measure(process, server, warm_up)
        for number in range(1, rounds + 1):
            # There and back, so that nobody is always the one who follows the same neighbour.
            order = processes if number % 2 else processes[::-1]
            for load in loads:
                for process in order:
                    sample = Sample(number, process.contestant, load, await measure(process, server, load))
                    samples.append(sample)
                    progress(_line(sample, rounds))
        return Pass(samples, rounds, server.version)


@asynccontextmanager
async def _opened(
    progress: Callable[[str], None], roster: Sequence[Contestant]
) -> AsyncIterator[tuple[Server, list[ContestantProcess]]]:
    async with AsyncExitStack() as opened:
        state = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="perdure-bench-")))
        progress("Starting Temporal's dev server and a process for each contestant.")
        server = await opened.enter_async_context(open_server(state))
        processes = [
            await opened.enter_async_context(start(contestant, server.address, state)) for contestant in roster
        ]
        for process in processes:
            await process.ready()
        yield server, processes


def _line(sample: Sample, rounds: int) -> str:
    measured = sample.measured
    return (
        f"round {sample.round}/{rounds}  {sample.case.at_once:>2} in flight  {sample.contestant.name:<21}  "
        f"p50 {measured.latency:7.1f} ms  {measured.rate:6.1f} runs/s  worker {measured.worker_cpu:6.1f} ms CPU/run"
    )
