"""What is told of the runs: all of it is made here, from the samples of one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.job import MODEL_CALLS, STEPS, TOOL_CALLS
from benchmarks.reports.reading import reading
from benchmarks.reports.table import NOTHING, plural, spread, table, who
from benchmarks.roster import (
    BARE,
    BARE_SANDBOXED,
    BY_HAND,
    DEEPAGENTS,
    IN_MEMORY,
    LOCAL,
    OFFICIAL,
    PERDURE,
    ROSTER,
    SANDBOXED,
)
from benchmarks.rounds import LOADS
from benchmarks.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.circumstances import Circumstances
    from benchmarks.load import Load
    from benchmarks.roster import Contestant
    from benchmarks.rounds import Pass

FIGURES = {
    "latency": "latency p50, ms",
    "rate": "runs/s",
    "worker_cpu": "worker CPU, ms/run",
    "server_cpu": "server CPU, ms/run",
    "events": "history, events",
    "size": "history, bytes",
}
PAIRS = (
    (PERDURE, BARE),
    (PERDURE, BARE_SANDBOXED),
    (PERDURE, BY_HAND),
    (PERDURE, OFFICIAL),
    (PERDURE, DEEPAGENTS),
    (LOCAL, BARE),
    (LOCAL, PERDURE),
    (SANDBOXED, PERDURE),
    (SANDBOXED, OFFICIAL),
    (SANDBOXED, DEEPAGENTS),
    (PERDURE, IN_MEMORY),
)


def report(made: Pass, circumstances: Circumstances) -> str:
    summary = Summary(made.samples)
    return "\n\n".join(
        [
            circumstances.told(plural(made.rounds, "round"), made.server_version),
            *reading(summary),
            *(part for load in LOADS for part in _figures(summary, load)),
            *_ratios(summary),
            *_overheads(summary),
            _method(),
        ]
    )


def _figures(summary: Summary, load: Load) -> Iterator[str]:
    yield f"## {_in_flight(load)}"
    yield "Medians over the rounds, with the lowest and the highest."
    rows = [
        [contestant.name, *(spread(summary.spread(contestant, load, figure)) for figure in FIGURES)]
        for contestant in ROSTER
    ]
    yield table(["", *FIGURES.values()], rows)


def _ratios(summary: Summary) -> Iterator[str]:
    yield "## Ratios"
    yield "Each is taken within a round and is then a median over the rounds, with the lowest and the highest."
    rows = [
        [f"{one.name} / {other.name}", str(load.at_once), *(_ratio(summary, one, other, load))]
        for one, other in PAIRS
        for load in LOADS
    ]
    yield table(["", "in flight", *(name.partition(",")[0] for name in _compared().values()), "history bytes"], rows)


def _compared() -> dict[str, str]:
    return {figure: name for figure, name in FIGURES.items() if figure not in {"events", "size"}}


def _ratio(summary: Summary, one: Contestant, other: Contestant, load: Load) -> list[str]:
    return [spread(summary.ratio(one, other, load, figure)) for figure in [*_compared(), "size"]]


def _overheads(summary: Summary) -> Iterator[str]:
    yield "## Overhead of a step"
    yield (
        f"What is added to the bare workflow, divided by the {STEPS} steps of a run. Latency is that of one run at a "
        "time: with more, a run waits for the others as well."
    )
    rows = [
        [
            contestant.name,
            str(load.at_once),
            spread(summary.overhead(contestant, BARE, load, "latency")) if load.at_once == 1 else NOTHING,
            spread(summary.overhead(contestant, BARE, load, "worker_cpu")),
        ]
        for contestant in (BARE_SANDBOXED, BY_HAND, PERDURE, LOCAL, SANDBOXED, OFFICIAL, DEEPAGENTS)
        for load in LOADS
    ]
    yield table(["", "in flight", "latency, ms/step", "worker CPU, ms/step"], rows)


def _method() -> str:
    return (
        "## How the runs are measured\n\n"
        f"A run is {MODEL_CALLS} model calls and {TOOL_CALLS} tool calls of fakes that answer at once, one activity "
        f"each where there are activities.\n\n{who(ROSTER)}\n\n"
        "The workers run in processes of their own beside one Temporal dev server, which is set up as `perdure dev` "
        "does it; runs are started from another process. Each round has a server and workers of its own. In it all "
        "contestants are measured one after another, every other round in reverse; one run at a time in "
        f"{LOADS[0].turns} turns of {LOADS[0].turn.runs} runs, there and back, of which the median counts. Worker CPU "
        "is all that the worker's process used, Temporal's core included. Server CPU is all that the server's process "
        "used, its idle polling included."
    )


def _in_flight(load: Load) -> str:
    return "One run at a time" if load.at_once == 1 else f"{load.at_once} runs in flight"
