"""The order of a pass: in each round every contestant is measured under every load, one after another.

Each round has a server and processes of its own, for with the same code some processes are faster than others.
"""

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
from benchmarks.summary import Sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from benchmarks.process import ContestantProcess
    from benchmarks.roster import Contestant
    from benchmarks.server import Server

LOADS = (Load(at_once=1, runs=40, turns=8), Load(at_once=10, runs=40), Load(at_once=50, runs=100))
WARM_UP = Load(at_once=10, runs=40)


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
    for number in range(1, rounds + 1):
        async with _opened(progress, roster) as (server, processes):
            progress(f"round {number}/{rounds}  Warming up.")
            for process in processes:
                await measure(process, server, warm_up)
            for load in loads:
                for process, measured in await _measured(processes, server, load, first=number):
                    samples.append(Sample(number, process.contestant, load, measured))
                    progress(_line(samples[-1], rounds))
    return Pass(samples, rounds, server.version)


async def _measured(
    processes: Sequence[ContestantProcess], server: Server, load: Load, *, first: int
) -> Iterator[tuple[ContestantProcess, Measurement]]:
    """In turns there and back, so that nobody is always the one who follows the same neighbour."""
    taken: dict[str, list[Measurement]] = {process.contestant.name: [] for process in processes}
    for turn in range(first, first + load.turns):
        for process in processes if turn % 2 else processes[::-1]:
            taken[process.contestant.name].append(await measure(process, server, load.turn))
    return ((process, Measurement.middle(taken[process.contestant.name])) for process in processes)


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
