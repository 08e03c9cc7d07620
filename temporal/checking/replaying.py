"""A check's replay, in a process of its own with hashes of its own: twice, for what a process keeps between runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio.client import WorkflowHistory

from agents.errors import InvalidInput, UnknownAgent
from temporal.checking import draws
from temporal.checking.building import Subject, shape
from temporal.checking.record import Replayed
from temporal.checking.tracing import Tracing
from temporal.converter import payload_limits
from temporal.replay import InputsDiffer, ResultDiffers, replay_strictly
from temporal.settings import Settings
from temporal.worker import ready_process

if TYPE_CHECKING:
    from temporal.checking.record import Seen, Task

PASSES = 2


async def replay(task: Task) -> Replayed:
    ready_process()
    draws.install()
    try:
        subject = Subject.of(task.agent)
    except (InvalidInput, UnknownAgent):
        raise
    except Exception as error:  # noqa: BLE001 -- an author's module, and its `build`, may raise anything
        return Replayed(problem=f"{type(error).__name__}: {error}")
    history = WorkflowHistory.from_json(task.workflow_id, task.history or "{}")
    converter = task.converter()
    limits = payload_limits(converter, most=Settings().storage.largest)
    passes: list[Seen] = []
    errors: list[str] = []
    for _ in range(PASSES):
        tracing = Tracing()
        try:
            await replay_strictly(history, subject.graphs, converter=converter, limits=limits, interceptors=[tracing])
        except (InputsDiffer, ResultDiffers, Exception) as error:  # noqa: BLE001 -- it is the finding
            errors.append(f"{type(error).__name__}: {error}")
        passes.extend(tracing.of(task.workflow_id))
    return Replayed(shape=shape(subject.graph), passes=passes, errors=errors)
