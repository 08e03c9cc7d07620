"""One measurement: a contestant under a load."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from temporalio.client import WorkflowFailureError

from benchmarks.load import WrongAnswer, drive
from benchmarks.process import ContestantFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from temporalio.client import Client

    from benchmarks.load import Load, Timing
    from benchmarks.process import ContestantProcess
    from benchmarks.roster import Contestant, Start
    from benchmarks.server import Server

PATIENCE = timedelta(minutes=1)
"""For one run, so that a contestant that fails does not hang."""


class Measurement(BaseModel):
    """Times in milliseconds, for one run. `latency` is the median of the load's runs.

    What a contestant does not have, as a server or a history, is None.
    """

    model_config = ConfigDict(frozen=True)

    latency: float
    rate: float
    worker_cpu: float
    server_cpu: float | None = None
    events: float | None = None
    size: float | None = None

    @classmethod
    def middle(cls, turns: Sequence[Measurement]) -> Measurement:
        """Of each figure the median."""
        figures = {name: [getattr(turn, name) for turn in turns] for name in cls.model_fields}
        return cls(**{name: median(found) for name, found in figures.items() if None not in found})


async def measure(process: ContestantProcess, server: Server, load: Load) -> Measurement:
    contestant = process.contestant
    worker_before, server_before = await process.cpu(), server.cpu()
    try:
        timing = await (
            _drive(contestant, contestant.job, server.client, load) if contestant.job else process.drive(load)
        )
    except (WrongAnswer, WorkflowFailureError) as error:
        raise ContestantFailed(f"{contestant.name!r} failed a run: {error.__cause__ or error}") from error
    worker_after, server_after = await process.cpu(), server.cpu()
    common = {
        "latency": median(timing.latencies) * 1000,
        "rate": load.runs / timing.seconds,
        "worker_cpu": (worker_after - worker_before) / load.runs * 1000,
    }
    if contestant.job is None:
        return Measurement(**common)
    return Measurement(
        **common,
        **await _history(server.client, timing),
        server_cpu=_per_run(server_before, server_after, load),
    )


async def _drive(contestant: Contestant, job: Start, client: Client, load: Load) -> Timing:
    async def run(identifier: str) -> Any:
        result = await client.execute_workflow(
            job.workflow,
            args=job.arguments,
            id=identifier,
            task_queue=contestant.task_queue,
            execution_timeout=PATIENCE,
        )
        return result["output"] if isinstance(result, dict) else result

    return await drive(run, load)


async def _history(client: Client, timing: Timing) -> dict[str, float]:
    """Of one run: all have the same."""
    history = await client.get_workflow_handle(timing.last).fetch_history()
    return {"events": len(history.events), "size": sum(event.ByteSize() for event in history.events)}


def _per_run(before: float | None, after: float | None, load: Load) -> float | None:
    return None if before is None or after is None else (after - before) / load.runs * 1000
