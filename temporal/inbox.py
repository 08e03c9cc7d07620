"""What waits for people, across all runs, and answering it from Python. Runs anywhere outside workflows.

for waiting in await list_waiting(agents):
    print(waiting.run, waiting.question)
await answer(await agents.find("orders-1a2b3c4d"), {"approve": True}, by="anna")
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from temporalio.client import WorkflowExecutionStatus, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.queries import ask
from agents.errors import InvalidInput
from temporal.client import explained
from workflows.contracts import DECIDER, QUESTIONS, Decision, Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from temporal.client import Agents, Run

AT_ONCE = 20
"""Runs that are asked at the same time what they wait for."""

PATIENCE = timedelta(seconds=5)


class AnswerRefused(InvalidInput):
    """The run did not take an answer, and said why."""


class Waiting(BaseModel):
    """A question of a run. It is `None` where no worker answers for the run: then the ids are all that is known."""

    model_config = ConfigDict(frozen=True)

    run: str
    ids: list[str]
    question: Question | None = None


async def list_waiting(agents: Agents, *, decider: str | None = None) -> list[Waiting]:
    """The questions of all runs of the namespace, the oldest first. With a `decider`, those that it may answer."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def ask(run: str, listed: Sequence[str]) -> list[Waiting]:
        async with at_once:
            return await _waiting(agents, run, [entry for entry in listed if not entry.startswith(DECIDER)])

    with explained(agents.target):
        query = f"{QUESTIONS.name} IS NOT NULL AND ExecutionStatus = 'Running'"
        runs = agents.client.list_workflows(query)
        found = [(run.id, run.typed_search_attributes.get(QUESTIONS) or []) async for run in runs]
        waiting = [each for several in await asyncio.gather(*(ask(*run) for run in found)) for each in several]
    return sorted((each for each in waiting if _concerns(each, decider)), key=_age)


async def find_question(run: Run, named: str | None = None) -> Question:
    """The question of that id, or of an id that begins so; without one, the only question that the run asks.

    Raises `AnswerRefused` where somebody has answered it, and `InvalidInput` where it is not clear which is meant.
    """
    waiting = await run.questions()
    found = [each for each in waiting if named is None or each.id.startswith(named)]
    match found:
        case [question]:
            return question
        case [] if named and (decision := await _decided(run, named)):
            raise AnswerRefused(decision.told)
        case [] if not waiting:
            raise InvalidInput(await _why_nothing(run))
        case []:
            raise InvalidInput(f"Run {run.id!r} asks no question {named!r}. It asks {_ids(waiting)}.")
        case _:
            raise InvalidInput(f"Run {run.id!r} asks {len(found)} questions: {_ids(found)}. Name one.")


async def answer(run: Run, value: Any, question: str | None = None, *, by: str | Sequence[str] = ()) -> Question:
    """Answers a question of `run`, by its id or the beginning of it, or the only one. Returns what was asked.

    `by` is a name, or a name and the groups it belongs to. Raises `AnswerRefused`, with the run's reason.
    """
    asked = await find_question(run, question)
    await answer_question(run, asked, value, by=by)
    return asked


async def answer_question(run: Run, question: Question, value: Any, *, by: str | Sequence[str] = ()) -> None:
    names = [by] if isinstance(by, str) else [*by]
    with explained(run.target, run.id):
        try:
            await run.client.get_workflow_handle(run.id).execute_update("answer", args=[question.id, value, names])
        except WorkflowUpdateFailedError as error:
            raise AnswerRefused(str(getattr(error.cause, "message", error.cause))) from None


async def is_waiting(run: Run, question: Question) -> bool:
    """Whether nobody has answered it yet. It needs no worker, unless a run asks dozens of questions at once."""
    with explained(run.target, run.id):
        described = await run.client.get_workflow_handle(run.id).describe()
    recorded = described.typed_search_attributes.get(QUESTIONS) or []
    if not recorded or described.status != WorkflowExecutionStatus.RUNNING:
        return False
    if question.id in recorded:
        return True
    asked = await run.questions()
    return not asked or any(each.id == question.id for each in asked)


async def _decided(run: Run, named: str) -> Decision | None:
    try:
        return next((each for each in reversed(await decisions(run)) if each.question.startswith(named)), None)
    except WorkflowQueryFailedError:
        return None


async def decisions(run: Run) -> list[Decision]:
    """Who answered what in `run`, and when."""
    with explained(run.target, run.id):
        made: list[Decision] = await ask(run.client.get_workflow_handle(run.id), "decisions", list[Decision])
    return made


def judged(question: Question, *, approve: bool, reason: str | None = None, **more: Any) -> Any:
    """The answer that approves or rejects what `question` asks about: a tool's call, or those that LangChain's
    middleware holds back. Raises `InvalidInput` where it asks for something else.
    """
    if question.kind == "approval":
        given = {"approve": approve, "reason": reason, **more}
        return {name: value for name, value in given.items() if value is not None}
    match question.value:
        case {"action_requests": [*requests]} if not any(more.values()):
            decision = {"type": "approve"} if approve else {"type": "reject", **({"message": reason} if reason else {})}
            return {"decisions": [decision] * len(requests)}
    raise InvalidInput(
        f"Question {question.id!r} asks for no approval. Answer it: perdure answer RUN {question.id} VALUE"
    )


async def _waiting(agents: Agents, run: str, ids: list[str]) -> list[Waiting]:
    handle = agents.client.get_workflow_handle(run)
    try:
        asked: list[Question] = await handle.query("questions", result_type=list[Question], rpc_timeout=PATIENCE)
    except (RPCError, WorkflowQueryFailedError):  # no worker answers for it at the moment
        return [Waiting(run=run, ids=ids)]
    return [Waiting(run=run, ids=[question.id], question=question) for question in asked]


def _concerns(waiting: Waiting, decider: str | None) -> bool:
    deciders = waiting.question.deciders if waiting.question else []
    return decider is None or not deciders or decider in deciders


def _age(waiting: Waiting) -> tuple[bool, str]:
    return waiting.question is None, waiting.question.asked_at.isoformat() if waiting.question else waiting.run


async def _why_nothing(run: Run) -> str:
    with explained(run.target, run.id):
        status = (await run.client.get_workflow_handle(run.id).describe()).status
    if status and status != WorkflowExecutionStatus.RUNNING:
        return f"Run {run.id!r} is over ({status.name.lower()}): it asks nothing any more."
    return f"Run {run.id!r} asks nothing at the moment, or no worker answers for it."


def _ids(questions: Sequence[Question]) -> str:
    return ", ".join(repr(question.id) for question in questions)
