"""How a turn of a thread ends, and what it leaves behind. Runs in workflows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from workflows.agent import result_of
from workflows.failures import LEAVING, failing_the_run, failure
from workflows.saga import undo_all, with_problems
from workflows.settling import settle
from workflows.steps import ENDING, wait_through
from workflows.turns import TurnError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents.citation import Citation
    from workflows.namespace import Snapshot
    from workflows.run import Run
    from workflows.steps import Stop
    from workflows.turns import Status

TOO_LATE = "It was not undone: what was before it is too large to be kept over several executions."


@dataclass(frozen=True, slots=True)
class Ended:
    status: Status
    output: Any = None
    citations: list[Citation] = field(default_factory=list)
    error: TurnError | None = None
    note: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What it changes of a `Turn`."""
        return {name: getattr(self, name) for name in self.__slots__}


async def conclude(run: Run, work: asyncio.Future[Any], stop: Stop, before: list[Snapshot] | None) -> Ended:
    """Waits for `work`, whose value is the graph's state, and leaves a state from which the next turn can go on.

    Raises what is not the turn's alone: the end of the thread, or its move to a new execution.
    """
    try:
        with failing_the_run():
            state = await work
            _refuse_rolled_back(stop)
            await run.calls.finished()
            result = result_of(run, state)
    except LEAVING:
        raise
    except BaseException as error:  # noqa: BLE001 -- whatever it is, the thread goes on
        return await end_badly(run, error, stop, before)
    _forget(run)
    return Ended("done", output=result.output, citations=result.citations)


def _refuse_rolled_back(stop: Stop) -> None:
    """A turn that was at its end already, or that swallowed its cancellation, is undone all the same."""
    if stop.kind == "rollback":
        raise asyncio.CancelledError


async def end_badly(run: Run, error: BaseException, stop: Stop, before: list[Snapshot] | None) -> Ended:
    """Of a turn that did not come to its end. What it did stays, is undone, or is named, also where the thread is
    cancelled meanwhile.
    """
    token = ENDING.set(True)
    try:
        work = asyncio.ensure_future(_put_right(run, error, stop, before))
        await wait_through(work)
    finally:
        ENDING.reset(token)
    ended = work.result()
    if workflow.cancellation_reason() is not None:
        raise _with(asyncio.CancelledError(), [ended.note] if ended.note else [])
    _forget(run)
    return ended


async def _put_right(run: Run, error: BaseException, stop: Stop, before: list[Snapshot] | None) -> Ended:
    await run.calls.stopped()
    if workflow.cancellation_reason() is not None:
        raise _with(error, await undo_all(run)) from None
    return await (_stopped(run, stop, before) if stop.kind else _failed(run, error, before))


def _forget(run: Run) -> None:
    """What a turn alone needs."""
    run.calls.forget({})
    for kept in (run.undoings, run.effects, run.asked):
        kept.clear()


async def _stopped(run: Run, stop: Stop, before: list[Snapshot] | None) -> Ended:
    if stop.kind == "rollback" and before is not None:
        lasting = _lasting(run)
        problems = await undo_all(run)
        run.saver.rewind(before)
        return Ended("rolled_back", note=_joined([*problems, *lasting]))
    await _settled(run, before)
    return Ended("interrupted", note=TOO_LATE if stop.kind == "rollback" else None)


async def _failed(run: Run, error: BaseException, before: list[Snapshot] | None) -> Ended:
    """What was undone must not stay in the conversation: the model would take it for done."""
    is_undone = bool(run.undoings)
    problems = await undo_all(run)
    if is_undone and before is not None:
        run.saver.rewind(before)
    else:
        await _settled(run, before)
    cause = failure(error)
    return Ended("failed", error=TurnError(type=cause.type or "", message=cause.message), note=_joined(problems))


async def _settled(run: Run, before: list[Snapshot] | None) -> None:
    """A graph whose own code keeps it from being settled loses the turn, and not the thread."""
    try:
        await settle(run)
    except LEAVING:
        raise
    except Exception:
        if before is None:
            raise
        run.saver.rewind(before)


def _lasting(run: Run) -> list[str]:
    if not run.effects:
        return []
    tools = ", ".join(f"{tool} ({count})" if count > 1 else tool for tool, count in run.effects.items())
    return [f"Not undone, since the tools say no way to: {tools}."]


def _joined(lines: Iterable[str]) -> str | None:
    return " ".join(lines) or None


def _with(error: BaseException, problems: list[str]) -> BaseException:
    return with_problems(error, problems) if problems else error
