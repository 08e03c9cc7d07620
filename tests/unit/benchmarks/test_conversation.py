"""A chat goes on while its workflow does, and says why it ended."""

from types import SimpleNamespace

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionStatus, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from benchmarks.conversation import ChatEnded, say

REFUSED = RPCError("Workflow Task in failed state", RPCStatusCode.FAILED_PRECONDITION, b"")


class Talk:
    """Refuses a question as often as told, and then answers. Its workflow has `status`."""

    first = "run-1"

    def __init__(self, refusals: int, status: WorkflowExecutionStatus) -> None:
        self.refusals, self.status, self.handle = refusals, status, self

    async def say(self, question: str) -> str:
        if self.refusals:
            self.refusals -= 1
            raise REFUSED
        return question.upper()

    async def describe(self) -> SimpleNamespace:
        return SimpleNamespace(status=self.status)

    async def fetch_history(self) -> WorkflowHistory:
        event = HistoryEvent()
        event.workflow_execution_terminated_event_attributes.reason = "It is too long."
        return WorkflowHistory("chat", [event])


async def test_a_question_that_is_refused_is_put_again():
    assert await say(Talk(1, WorkflowExecutionStatus.RUNNING), "where?") == "WHERE?"


async def test_a_chat_that_was_ended_says_why():
    with pytest.raises(ChatEnded, match=r"^terminated: It is too long\.$"):
        await say(Talk(1, WorkflowExecutionStatus.TERMINATED), "where?")
