"""What is told of the replays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.growth import WHOLE
from benchmarks.replay import REPLAYED
from benchmarks.reports.table import plural, spread, table, times, value
from benchmarks.roster import BARE, PEERS
from benchmarks.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.circumstances import Circumstances
    from benchmarks.replay import Replays

FIGURES = {"wall": "wall, s", "cpu": "CPU, s"}


def report(replays: Replays, circumstances: Circumstances) -> str:
    summary = Summary(replays.samples)
    head = ["", "turns", *FIGURES.values(), f"CPU / {BARE.name}", f"CPU / {WHOLE.name}"]
    return "\n\n".join(
        [
            circumstances.told(plural(replays.rounds, "round"), replays.server_version),
            " ".join(_reading(summary, replays)),
            "Medians over the rounds, with the lowest and the highest. A ratio is taken within a round.",
            table(head, [*_rows(summary, replays)]),
            _method(),
        ]
    )


def _reading(summary: Summary, replays: Replays) -> Iterator[str]:
    longest = max(replays.sizes)
    yield f"Perdure replays {longest} turns in {value(summary.spread(WHOLE, longest, 'wall'))} s."
    for peer in PEERS:
        reached = max(size for size in replays.sizes if summary.spread(peer, size, "cpu"))
        wall, ratio = summary.spread(peer, reached, "wall"), summary.ratio(peer, WHOLE, reached, "cpu")
        yield f"{peer.name} takes {value(wall)} s for {reached}, and {times(ratio)} the CPU of perdure for as many."


def _rows(summary: Summary, replays: Replays) -> Iterator[list[str]]:
    for contestant in REPLAYED:
        for size in replays.sizes:
            if summary.spread(contestant, size, "cpu"):
                yield [
                    contestant.name,
                    str(size),
                    *(spread(summary.spread(contestant, size, figure)) for figure in FIGURES),
                    *(spread(summary.ratio(contestant, other, size, "cpu")) for other in (BARE, WHOLE)),
                ]


def _method() -> str:
    return (
        "## How the replays are measured\n\n"
        "Temporal's `Replayer`, with the worker's workflow runner, replays the histories of the chats as they were "
        "after so many turns, in a process of its own that has imported and built all that runs share. Perdure's chat "
        "is the one in one execution: as it ships, it continues as new and has no more to replay than its newest "
        "execution."
    )
