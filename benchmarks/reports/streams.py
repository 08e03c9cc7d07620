"""What is told of the streams: how late a watcher hears a token."""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING

from benchmarks.contestants.streams import PAUSE, TOKENS
from benchmarks.reports.table import number, table, who

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.circumstances import Circumstances
    from benchmarks.streams import Streams

HEAD = (
    "Milliseconds from the model to a watcher",
    "first token p50",
    "first token p95",
    "token p50",
    "token p95",
    "events of a history",
)


def report(streams: Streams, circumstances: Circumstances) -> str:
    rows = [
        [heard.contestant.name, *_figures(heard.first), *_figures(heard.every), number(heard.events)]
        for heard in streams.heard
    ]
    return "\n\n".join(
        [
            circumstances.told(f"{streams.at_once} runs at once", streams.server_version),
            table(HEAD, rows),
            f"Each run says {TOKENS} tokens, one every {PAUSE * 1000:.0f} ms, and has one watcher in another process.",
            who(heard.contestant for heard in streams.heard),
        ]
    )


def _figures(seconds: Sequence[float]) -> tuple[str, str]:
    cuts = quantiles(seconds, n=20, method="inclusive")
    return number(cuts[9] * 1000), number(cuts[18] * 1000)
