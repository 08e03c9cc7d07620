"""RESULTS.md: all of it is made here, from the samples of one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.job import MODEL_CALLS, STEPS, TOOL_CALLS
from benchmarks.reading import reading
from benchmarks.roster import BARE, IN_MEMORY, OFFICIAL, PERDURE, ROSTER, SANDBOXED
from benchmarks.rounds import LOADS
from benchmarks.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.load import Load
    from benchmarks.roster import Contestant
    from benchmarks.rounds import Pass
    from benchmarks.summary import Spread

NOTHING = "–"

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
    (PERDURE, OFFICIAL),
    (SANDBOXED, OFFICIAL),
    (SANDBOXED, PERDURE),
    (PERDURE, IN_MEMORY),
)


@dataclass(frozen=True)
class Circumstances:
    """How a pass was made. `load_average` is that of the minute before it: near zero on an idle machine."""

    command: str
    date: str
    cores: int
    load_average: float
    versions: Mapping[str, str]


def report(made: Pass, circumstances: Circumstances) -> str:
    summary = Summary(made.samples)
    return "\n\n".join(
        [
            "# What a durable step costs",
            _provenance(made, circumstances),
            *reading(summary),
            *(part for load in LOADS for part in _figures(summary, load)),
            *_ratios(summary),
            *_overheads(summary),
            _method(),
        ]
    )


def _provenance(made: Pass, circumstances: Circumstances) -> str:
    rounds = f"{made.rounds} round{'s' * (made.rounds != 1)}"
    versions = ", ".join(f"{name} {version}" for name, version in circumstances.versions.items())
    return (
        f"Made by `{circumstances.command}` on {circumstances.date}; do not edit. {rounds} on "
        f"{circumstances.cores} cores, load average {circumstances.load_average:.1f} before the first. {versions}."
    )


def _figures(summary: Summary, load: Load) -> Iterator[str]:
    yield f"## {_in_flight(load)}"
    yield "Medians over the rounds, with the lowest and the highest."
    rows = [
        [contestant.name, *(_spread(summary.spread(contestant, load, figure)) for figure in FIGURES)]
        for contestant in ROSTER
    ]
    yield _table(["", *FIGURES.values()], rows)


def _ratios(summary: Summary) -> Iterator[str]:
    yield "## Ratios"
    yield "Each is taken within a round and is then a median over the rounds, with the lowest and the highest."
    rows = [
        [f"{one.name} / {other.name}", str(load.at_once), *(_ratio(summary, one, other, load))]
        for one, other in PAIRS
        for load in LOADS
    ]
    yield _table(["", "in flight", *(name.partition(",")[0] for name in _compared().values()), "history bytes"], rows)


def _compared() -> dict[str, str]:
    return {figure: name for figure, name in FIGURES.items() if figure not in {"events", "size"}}


def _ratio(summary: Summary, one: Contestant, other: Contestant, load: Load) -> list[str]:
    return [_spread(summary.ratio(one, other, load, figure)) for figure in [*_compared(), "size"]]


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
            _spread(summary.overhead(contestant, BARE, load, "latency")) if load.at_once == 1 else NOTHING,
            _spread(summary.overhead(contestant, BARE, load, "worker_cpu")),
        ]
        for contestant in (PERDURE, SANDBOXED, OFFICIAL)
        for load in LOADS
    ]
    yield _table(["", "in flight", "latency, ms/step", "worker CPU, ms/step"], rows)


def _method() -> str:
    who = "\n".join(f"- **{contestant.name}**: {contestant.about}." for contestant in ROSTER)
    return (
        "## How it is measured\n\n"
        f"A run is {MODEL_CALLS} model calls and {TOOL_CALLS} tool calls of fakes that answer at once, one activity "
        f"each where there are activities.\n\n{who}\n\n"
        "The workers run in processes of their own beside one Temporal dev server, which is set up as `perdure dev` "
        "does it; runs are started from another process. In each round all contestants are measured one after another, "
        "every other round in reverse. Worker CPU is all that the worker's process used, Temporal's core included. "
        "Server CPU is all that the server's process used, its idle polling included."
    )


def _in_flight(load: Load) -> str:
    return "One run at a time" if load.at_once == 1 else f"{load.at_once} runs in flight"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return NOTHING
    middle, low, high = (_number(value) for value in (spread.median, spread.low, spread.high))
    return middle if low == high else f"{middle} ({low}–{high})"


def _number(value: float) -> str:
    """Three digits, and no more than two of them behind the point."""
    if float(value).is_integer():
        return f"{value:,.0f}"
    magnitude = abs(value)
    return f"{value:.2f}" if magnitude < 10 else f"{value:.1f}" if magnitude < 100 else f"{value:,.0f}"  # noqa: PLR2004


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, in columns that are readable in a terminal too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = [f"{'-' * width}:" for width in widths]
    rule[0] = "-" * (widths[0] + 1)
    lines = [_row(head, widths), f"|{'|'.join(f' {dashes}' for dashes in rule)}|", *(_row(row, widths) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = [f"{cell:{'<' if column == 0 else '>'}{widths[column]}}" for column, cell in enumerate(cells)]
    return f"| {' | '.join([first, *others])} |"
