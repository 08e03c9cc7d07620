"""The figures in words. Every number in them comes from the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.roster import BARE, IN_MEMORY, OFFICIAL, PERDURE, SANDBOXED
from benchmarks.rounds import LOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.roster import Contestant
    from benchmarks.summary import Spread, Summary

ALONE, TOGETHER = LOADS


def reading(summary: Summary) -> Iterator[str]:
    yield _against_the_floors(summary)
    yield _against_the_rival(summary)


def _against_the_floors(summary: Summary) -> str:
    memory = summary.ratio(PERDURE, IN_MEMORY, ALONE, "latency")
    bare = summary.ratio(PERDURE, BARE, ALONE, "latency")
    step = summary.overhead(PERDURE, BARE, ALONE, "latency")
    cpu = summary.overhead(PERDURE, BARE, TOGETHER, "worker_cpu")
    return (
        f"One run at a time, perdure takes {_times(bare)} the latency of a bare Temporal workflow, "
        f"{_value(step)} ms more for each step, and {_times(memory)} that of plain LangGraph, which keeps nothing. "
        f"With {TOGETHER.at_once} in flight a step costs {_value(cpu)} ms of worker CPU more than a bare activity."
    )


def _against_the_rival(summary: Summary) -> str:
    def ratio(figure: str, one: Contestant = PERDURE) -> str:
        return _times(summary.ratio(one, OFFICIAL, TOGETHER, figure))

    return (
        f"With {TOGETHER.at_once} in flight, perdure takes {ratio('latency')} the latency and {ratio('worker_cpu')} "
        f"the worker CPU of {OFFICIAL.name}, does {ratio('rate')} its runs per second, and writes {ratio('size')} "
        f"its history. With the sandbox, in which {OFFICIAL.name} runs by default, perdure takes "
        f"{ratio('latency', SANDBOXED)} its latency and {ratio('worker_cpu', SANDBOXED)} its worker CPU."
    )


def _times(spread: Spread | None) -> str:
    return "?" if spread is None else f"{spread.median:.2f}×"


def _value(spread: Spread | None) -> str:
    return "?" if spread is None else f"{spread.median:.1f}"
