"""The figures of the runs in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.reports.table import times, value
from benchmarks.roster import BARE, BARE_SANDBOXED, BY_HAND, IN_MEMORY, LOCAL, PEERS, PERDURE, SANDBOXED
from benchmarks.rounds import LOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.roster import Contestant
    from benchmarks.summary import Summary

ALONE, TOGETHER, MANY = LOADS

FLOORS = {
    BY_HAND: "a workflow written by hand whose activities call the same model and tools, in Temporal's sandbox",
    BARE: "a workflow that calls as many activities with hardly anything in them",
    BARE_SANDBOXED: "that one in Temporal's sandbox, in which workers run workflows by default",
    IN_MEMORY: "plain LangGraph, which keeps nothing",
}


def reading(summary: Summary) -> Iterator[str]:
    yield _against_the_floors(summary)
    yield _local(summary)
    for peer in PEERS:
        yield _against(peer, summary)


def _against_the_floors(summary: Summary) -> str:
    head = (
        "Perdure beside what one could have without it: latency of one run at a time, and what a step takes in worker "
        f"CPU with {TOGETHER.at_once} in flight."
    )
    return "\n".join([head, "", *(f"- {what}: {_above(floor, summary)}" for floor, what in FLOORS.items())])


def _above(floor: Contestant, summary: Summary) -> str:
    latency = summary.ratio(PERDURE, floor, ALONE, "latency")
    step = summary.overhead(PERDURE, floor, ALONE, "latency")
    cpu = summary.overhead(PERDURE, floor, TOGETHER, "worker_cpu")
    return f"{times(latency)} the latency ({value(step)} ms a step more), {value(cpu)} ms of CPU a step more"


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
