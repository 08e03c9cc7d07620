"""What is told of idle threads."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from benchmarks.idle import WATCHED
from benchmarks.reports.table import number, table

if TYPE_CHECKING:
    from benchmarks.circumstances import Circumstances
    from benchmarks.idle import Idle


def report(idle: Idle, circumstances: Circumstances) -> str:
    rows = [
        [name, number(load.worker_memory), number(load.worker_cpu), number(load.server_cpu)]
        for name, load in (("before", idle.before), (f"with {idle.threads:,} idle threads", idle.after))
    ]
    head = ["", "worker memory, MB", "worker CPU, ms/s", "server CPU, ms/s"]
    told = circumstances.told(f"{idle.threads:,} threads", idle.server_version)
    return "\n\n".join([told, _summary(idle), table(head, rows), _method(idle)])


def _summary(idle: Idle) -> str:
    more = idle.after.worker_memory - idle.before.worker_memory
    cpu = idle.after.worker_cpu - idle.before.worker_cpu
    return (
        f"{idle.threads:,} idle threads take {number(more)} MB of their worker's memory, "
        f"{number(more * 1024 / idle.threads)} kB each, and {number(cpu)} ms of its CPU a second. A turn of one of "
        f"them takes {number(median(idle.woken))} ms afterwards, {number(max(idle.woken))} at most."
    )


def _method(idle: Idle) -> str:
    return (
        "Each thread has had one turn of three steps and waits for the next, with a timer of a day. The worker keeps "
        "as many in its cache as `PERDURE_WORKER__CACHED_WORKFLOWS` says, 500 by default, and replays another when it "
        f"is woken. CPU is taken over {WATCHED:.0f} seconds in which nothing happens. The turns afterwards are those "
        f"of {len(idle.woken)} threads, one at a time. To begin the threads took {number(idle.begun)} seconds."
    )
