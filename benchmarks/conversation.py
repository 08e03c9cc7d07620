"""The other side of a chat: asks a workflow one question after another, and waits for each answer."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.service import RPCError

from benchmarks.process import ContestantFailed
from workflows.turns import THREAD_WORKFLOW, Turn

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

    from benchmarks.roster import Contestant

    Handle = WorkflowHandle[Any, Any]

PATIENCE = 120
"""Seconds for one turn, so that a contestant that hangs does not hang the benchmark."""

RETRY = 0.2
"""Seconds until a question is put again."""


class ChatEnded(ContestantFailed):
    """There is no answer, and there will be none."""


class Conversation(Protocol):
    """`handle` is that of whichever execution is the newest, `first` the id of the first one."""

    handle: Handle
    first: str

    async def say(self, question: str) -> str:
        """The answer to `question`."""


class ByTurns:
    """With a workflow whose update `turn` takes a question and gives the answer."""

    def __init__(self, handle: Handle, first: str) -> None:
        self.handle, self.first = handle, first

    async def say(self, question: str) -> str:
        answer: str = await self.handle.execute_update("turn", question, id=_id(question))
        return answer


class ByThread:
    """With a thread of Perdure's. Where it has moved to a new execution before it could answer, it is asked again."""

    def __init__(self, handle: Handle, first: str) -> None:
        self.handle, self.first = handle, first

    async def say(self, question: str) -> str:
        given = {"input": question, "wait": True}
        turn = await self.handle.execute_update("send", given, id=_id(question), result_type=Turn)
        while not turn.is_over:
            turn = await self.handle.execute_update("wait", turn.id, result_type=Turn)
        return str(turn.output)


async def begin(contestant: Contestant, client: Client) -> Conversation:
    if contestant.chat is None:
        raise LookupError(f"{contestant.name!r} holds no chats.")
    started = await client.start_workflow(
        contestant.chat.workflow,
        args=contestant.chat.arguments,
        id=f"bench-{uuid.uuid4().hex}",
        task_queue=contestant.task_queue,
    )
    handle, first = client.get_workflow_handle(started.id), started.first_execution_run_id or ""
    talk = ByThread if contestant.chat.workflow == THREAD_WORKFLOW else ByTurns
    return talk(handle, first)


async def say(talk: Conversation, question: str) -> str:
    """The answer to `question`. Raises `ChatEnded`, which says why there is none."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _until_said(talk, question)
    except TimeoutError:
        raise ChatEnded(f"no answer within {PATIENCE} s") from None
    except WorkflowUpdateFailedError as error:
        raise ChatEnded(await _ending(talk.handle) or str(error)) from error


async def _until_said(talk: Conversation, question: str) -> str:
    """The server refuses an update while a task of the workflow has failed and is not tried again yet."""
    while True:
        try:
            return await talk.say(question)
        except RPCError as error:
            if ending := await _ending(talk.handle):
                raise ChatEnded(ending) from error
            await asyncio.sleep(RETRY)


async def _ending(handle: Handle) -> str | None:
    """How the workflow ended, if it has."""
    status = (await handle.describe()).status
    if status in {None, WorkflowExecutionStatus.RUNNING}:
        return None
    reason = (await handle.fetch_history()).events[-1].workflow_execution_terminated_event_attributes.reason
    return f"{status.name.lower()}{f': {reason}' if reason else ''}"


def _id(question: str) -> str:
    """Of the update: a question that is put again is the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, question))
