"""Undoes what a run has done when it fails or is cancelled, the last first. Runs in workflows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from temporalio.exceptions import ApplicationError, is_cancelled_exception

from activities.effects import EffectRequest, EffectResponse, compensating
from agents.errors import CompensationFailed
from agents.options import tool_options
from workflows.failures import LEAVING, failure
from workflows.reconciliation import reconcile
from workflows.steps import ENDING, execute_step, shorten, wait_through

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from activities.once import ToldCall
    from agents.options import StepOptions
    from workflows.run import Run

ATTEMPTS = 10
"""With Temporal's growing pauses, about three minutes."""

LONGEST = 4_000
"""Characters that a failure says of what was not undone."""


class Undoing(BaseModel):
    """A call of a tool that can be undone. `value`, encoded, is what it returned, where that is known."""

    model_config = ConfigDict(frozen=True)

    tool: str
    value: Any = None
    is_known: bool = True


def hear(run: Run, told: ToldCall) -> None:
    """Takes word of a call in a node. What an earlier attempt has done stays done, whatever this one comes to."""
    match told.state:
        case "begun":
            run.undoings.setdefault(told.key, Undoing(tool=told.tool, is_known=False))
        case "done" if told.key in run.undoings:
            del run.undoings[told.key]  # they are in the order in which they were done
            run.undoings[told.key] = Undoing(tool=told.tool, value=told.value, is_known=told.is_known)
        case "raised" if told.key in run.undoings and not run.undoings[told.key].is_known:
            del run.undoings[told.key]


@asynccontextmanager
async def undone_on_failure(run: Run) -> AsyncIterator[None]:
    """Cancellation reaches the graph alone, and no compensation, be it that it comes while a failed run is undone."""
    try:
        yield
    except LEAVING:
        raise
    except BaseException as error:
        ENDING.set(True)
        undoing = asyncio.ensure_future(undo_all(run))
        await wait_through(undoing)
        if not (problems := undoing.result()):
            raise
        raise with_problems(error, problems) from None


async def undo_all(run: Run) -> list[str]:
    """What could not be undone. One that fails does not keep the others. Steps may begin only where `ENDING` is set."""
    await _leave_nothing_under_way(run)
    problems = []
    for key, undoing in reversed([*run.undoings.items()]):
        try:
            problem = await _undo(run, key, undoing)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the others are undone
            problem = f"The compensation of tool {undoing.tool!r} (key {key}) failed: {failure(error).message}"
        if problem:
            problems.append(problem)
    return problems


async def _leave_nothing_under_way(run: Run) -> None:
    """Calls that can be undone and go on alone, because the node that made them has ended before them."""
    running = [
        call.running for call in run.calls if call.running and tool_options(run.agent.tool(call.tool)).compensate
    ]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def _undo(run: Run, key: str, undoing: Undoing) -> str | None:
    options = tool_options(run.agent.tool(undoing.tool))
    step = options.step or run.agent.tool_step
    value = undoing.value
    if not undoing.is_known:
        if options.reconcile is None:
            return _open_end(key, undoing)
        found = await reconcile(run.agent, undoing.tool, key, step)
        if found.state == "not_done":
            return None
        if found.state == "unknown":
            return _open_end(key, undoing)
        value = found.value
    await _compensate(run, undoing.tool, key, value, step)
    return None


def _open_end(key: str, undoing: Undoing) -> str:
    return f"The outcome of tool {undoing.tool!r} (key {key}) is unknown, so it was not compensated."


async def _compensate(run: Run, tool: str, key: str, value: Any, step: StepOptions) -> None:
    await execute_step(
        compensating(tool),
        EffectRequest(agent=run.agent.name, tool=tool, key=key, value=value),
        EffectResponse,
        options=replace(step, attempts=ATTEMPTS, local=False, summary=None),
        summary=key,
    )


def with_problems(error: BaseException, problems: list[str]) -> Exception:
    """The failure as it would have been, and what is left behind."""
    told = shorten(" ".join(problems), LONGEST)
    if is_cancelled_exception(error):
        return CompensationFailed(f"The run was cancelled. {told}")
    cause = failure(error)
    return ApplicationError(f"{cause.message} {told}", *cause.details, type=cause.type, non_retryable=True)
