"""Talks to threads from Python. Runs anywhere outside workflows.

thread = agents.thread("research", "customer-17")
turn = await thread.send("How do I set a timer in a workflow?")
print(turn.output)
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.common import RawValue, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

import agents.errors
from activities.queries import ask
from agents.errors import InvalidInput, ThreadClosed
from temporal.archive import require_archive
from temporal.outcome import failed_run
from workflows.contracts import explain
from workflows.turns import THREAD_WORKFLOW, Conversation, ThreadInput, ThreadResult, Turn, TurnInput, Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import BaseMessage
    from temporalio.client import WorkflowHandle

    from temporal.client import Agents, Run
    from workflows.contracts import Question
    from workflows.rewinding import Rewound
    from workflows.turns import Policy


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a conversation: as it was said, or a summary, or what was said and has a summary in its place."""

    kind: Literal["said", "summary", "compacted"]
    message: BaseMessage


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation, by the id of its workflow. It begins with its first turn, as `start` says."""

    agents: Agents
    id: str
    start: ThreadInput | None = None
    """None for a thread that is there already."""

    @property
    def run(self) -> Run:
        """The same as a run: its steps, its page, what it writes."""
        return self.agents.run(self.id, THREAD_WORKFLOW)

    async def send(
        self,
        given: Any,
        *,
        wait: bool = True,
        policy: Policy | None = None,
        id: str | None = None,  # noqa: A002 -- what a turn calls it
    ) -> Turn:
        """A turn: a text, or the JSON that the agent's graph takes. Returns when it is over, or at once without `wait`.

        The same `id` twice is one turn. A thread that ended by itself goes on where it was. Raises `InvalidInput`,
        `ThreadBusy` or `ThreadClosed` where the turn is not taken; a turn that fails says so in its `status`.
        """
        name = id or f"turn-{secrets.token_hex(8)}"
        whose = self.start.model_dump(include={"agent", "tenant", "user"}) if self.start else {}
        try:
            turn = TurnInput(input=given, id=name, policy=policy, wait=wait, **whose)
        except ValidationError as error:
            raise InvalidInput(f"This can't be sent to thread {self.id!r}: {explain(error)}.") from None
        with self._explained():
            taken = await self._send(turn)
        return await self.wait(taken.id) if wait and not taken.is_over else taken

    async def wait(self, turn: str) -> Turn:
        """The turn, once it is over."""
        while True:
            with self._explained():
                found: Turn = await self._handle.execute_update("wait", turn, result_type=Turn)
            if found.is_over:
                return found

    async def turns(self) -> Turns:
        """The turns that are kept, the newest last."""
        with self._explained():
            found: Turns = await ask(self._handle, "turns", Turns)
        return found

    async def messages(self) -> list[Said]:
        """The whole conversation, with what the graph no longer has of it, and the summary that it has instead.

        Raises `StorageMismatch` or `PayloadMissing` where what was taken out can't be read.
        """
        with self._explained():
            found: Conversation = await ask(self._handle, "messages", Conversation)
        archive = require_archive(self.agents.client) if found.pages else None
        pages = [await archive.read(page.claim) for page in found.pages] if archive else []
        compacted = [Said("compacted", message) for page in pages for message in page.messages]
        kept = [Said("summary" if each.id == found.summary else "said", each) for each in found.messages]
        before = next((place for place, each in enumerate(kept) if each.kind == "summary"), 0)
        return [*kept[:before], *compacted, *kept[before:]]

    async def questions(self) -> list[Question]:
        """What waits for an answer."""
        return await self.run.questions()

    async def answer(self, question: str, value: Any) -> None:
        with self._explained():
            await self._handle.execute_update("answer", args=[question, value])

    async def interrupt(self) -> Turn:
        """Stops the turn that runs, and gives it back. What it did stays."""
        with self._explained():
            stopped: Turn = await self._handle.execute_update("interrupt", result_type=Turn)
        return stopped

    async def rewind(self, *, turn: str | None = None, checkpoint: str | None = None) -> Rewound:
        """Goes back to before a turn, or to a checkpoint between two turns. What tools did stays, and is told."""
        return await self.run.rewind(turn=turn, checkpoint=checkpoint)

    async def close(self) -> None:
        """Takes no more turns; the thread ends with those that it has. It can be gone on with later."""
        with self._explained():
            await self._handle.execute_update("close")

    async def result(self) -> ThreadResult:
        """Waits for the end of the thread."""
        with self._explained():
            try:
                return ThreadResult.model_validate(await self._handle.result())
            except WorkflowFailureError as error:
                raise failed_run(self.id, error) from error

    @property
    def _handle(self) -> WorkflowHandle[Any, Any]:
        return self.agents.client.get_workflow_handle(self.id)

    async def _send(self, turn: TurnInput) -> Turn:
        """To the thread as it is, or to one that is started by this."""
        sent = turn.model_dump(mode="json", exclude_none=True)
        try:
            if self.start is None:
                found: Turn = await self._handle.execute_update("send", sent, result_type=Turn)
                return found
            argument = self.start.model_dump(mode="json", exclude_none=True)
            return await self._start_with(sent, argument, WorkflowIDReusePolicy.REJECT_DUPLICATE)
        except WorkflowAlreadyStartedError:
            pass
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        handed_over = await self._handover()
        return await self._start_with(sent, handed_over, WorkflowIDReusePolicy.ALLOW_DUPLICATE)

    async def _start_with(self, sent: Any, argument: Any, reuse: WorkflowIDReusePolicy) -> Turn:
        operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            THREAD_WORKFLOW,
            argument,
            id=self.id,
            task_queue=self.agents.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=reuse,
            static_summary=self.start.agent if self.start else None,
        )
        turn: Turn = await self.agents.client.execute_update_with_start_workflow(
            "send", sent, start_workflow_operation=operation, result_type=Turn
        )
        return turn

    async def _handover(self) -> RawValue:
        """What a thread that has ended gives to the execution that goes on with it."""
        status = (await self._handle.describe()).status
        if status is not WorkflowExecutionStatus.COMPLETED:
            how = status.name.lower().replace("_", " ") if status else "over"
            raise ThreadClosed(f"Thread {self.id!r} is {how}. Begin another, with an id of its own.")
        found: RawValue = await ask(self._handle, "handover", RawValue)
        return found

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with self.agents.explained(self.id):
            try:
                yield
            except WorkflowUpdateFailedError as error:
                raise _refusal(error) from None


def _refusal(error: WorkflowUpdateFailedError) -> Exception:
    """The error of ours that an update was refused with, by its name."""
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return error
    known = getattr(agents.errors, cause.type or "", InvalidInput)
    made: Exception = known(cause.message)
    return made
