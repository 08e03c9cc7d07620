"""The other side of a chat: asks a workflow one question after another, and waits for each answer."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.service import RPCError

from benchmarks.process import ContestantFailed
from workflows.contracts import AGENT_WORKFLOW, QUESTIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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


class ByInterrupts:
    """With a Perdure agent that asks for each question by `interrupt()`, and hands over its last answer in doing so.

    That it waits is read from its history as it grows, which costs the worker nothing; what it said, by a query.
    """

    def __init__(self, handle: Handle, first: str, client: Client) -> None:
        self.handle, self.first = handle, first
        self._interrupts = _interrupts(client, handle.id, first)
        self._interrupt = ""

    async def say(self, question: str) -> str:
        self._interrupt = self._interrupt or await anext(self._interrupts)
        await self.handle.execute_update("answer", args=[self._interrupt, question], id=_id(question))
        self._interrupt = await anext(self._interrupts)
        [asked] = await self.handle.query("questions")
        answer: str = asked["value"]
        return answer


async def _interrupts(client: Client, workflow_id: str, run_id: str) -> AsyncIterator[str]:
    """Their ids, as the search attribute tells them, over all executions."""
    while run_id:
        events = client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history_events(wait_new_event=True)
        run_id = ""
        async for event in events:
            shown = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
            if QUESTIONS.name in shown and (waiting := json.loads(shown[QUESTIONS.name].data)):
                yield waiting[0]
            run_id = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id


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
    if contestant.chat.workflow == AGENT_WORKFLOW:
        return ByInterrupts(handle, first, client)
    return ByTurns(handle, first)


async def say(talk: Conversation, question: str) -> str:
    """The answer to `question`. Raises `ChatEnded`, which says why there is none."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _until_said(talk, question)
    except TimeoutError:
        raise ChatEnded(f"no answer within {PATIENCE} s") from None
    except (StopAsyncIteration, WorkflowUpdateFailedError) as error:
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
