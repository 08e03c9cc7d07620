"""The figures of the runs in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.reports.table import times, value
from benchmarks.roster import BARE, BARE_SANDBOXED, IN_MEMORY, LOCAL, PEERS, PERDURE, SANDBOXED
from benchmarks.rounds import LOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.roster import Contestant
    from benchmarks.summary import Summary

ALONE, TOGETHER, MANY = LOADS


def reading(summary: Summary) -> Iterator[str]:
    yield _against_the_floors(summary)
    yield _local(summary)
    for peer in PEERS:
        yield _against(peer, summary)


def _against_the_floors(summary: Summary) -> str:
    memory = summary.ratio(PERDURE, IN_MEMORY, ALONE, "latency")
    bare = summary.ratio(PERDURE, BARE, ALONE, "latency")
    step = summary.overhead(PERDURE, BARE, ALONE, "latency")
    cpu = summary.overhead(PERDURE, BARE, TOGETHER, "worker_cpu")
    sandboxed = summary.ratio(PERDURE, BARE_SANDBOXED, ALONE, "latency")
    less = summary.overhead(PERDURE, BARE_SANDBOXED, TOGETHER, "worker_cpu")
    return (
        f"One run at a time, perdure takes {times(bare)} the latency of a bare Temporal workflow, "
        f"{value(step)} ms more for each step, and {times(memory)} that of plain LangGraph, which keeps nothing. "
        f"With {TOGETHER.at_once} in flight a step costs {value(cpu)} ms of worker CPU more than a bare activity. "
        f"Where the bare workflow runs in Temporal's sandbox, as workers run workflows by default, these are "
        f"{times(sandboxed)} and {value(less)} ms."
    )


def _local(summary: Summary) -> str:
    latency = summary.spread(LOCAL, ALONE, "latency")
    ratio = summary.ratio(LOCAL, PERDURE, ALONE, "latency")
    return (
        f"With tools declared local, a run takes {value(latency)} ms, {times(ratio)} what it takes with ordinary ones."
    )


def _against(peer: Contestant, summary: Summary) -> str:
    def ratio(figure: str, one: Contestant = PERDURE) -> str:
        return times(summary.ratio(one, peer, TOGETHER, figure))

    return (
        f"With {TOGETHER.at_once} in flight, perdure takes {ratio('latency')} the latency and {ratio('worker_cpu')} "
        f"the worker CPU of {peer.name}, does {ratio('rate')} its runs per second, and writes {ratio('size')} its "
        f"history; with {MANY.at_once} it does {times(summary.ratio(PERDURE, peer, MANY, 'rate'))}. With the sandbox, "
        f"in which {peer.name} runs by default, perdure takes {ratio('latency', SANDBOXED)} its latency and "
        f"{ratio('worker_cpu', SANDBOXED)} its worker CPU."
    )
