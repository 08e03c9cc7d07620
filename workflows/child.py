"""DurableAgent: another agent, as a child workflow of its own. Runs in workflows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import Runnable
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, ChildWorkflowError, is_cancelled_exception

from activities.sizes import packed
from agents.errors import AgentFailed
from agents.exchange import plain
from workflows.contracts import AGENT_WORKFLOW, AgentInput, AgentResult
from workflows.run import current_run
from workflows.steps import async_only, refuse_cancelled, shorten, unpacked

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


class DurableAgent(Runnable[Any, Any]):
    """Takes what a run takes as its input, and gives its output. The child is cancelled with its parent, and works for
    the same tenant and user.
    """

    def __init__(self, agent: str) -> None:
        self.agent = agent

    invoke = async_only

    async def ainvoke(
        self,
        input: Any,  # noqa: A002 -- the base's signature
        config: RunnableConfig | None = None,  # noqa: ARG002 -- the base's signature
        **_options: Any,
    ) -> Any:
        around = current_run().request
        request = AgentInput(
            agent=self.agent,
            input=plain(input, f"The input of agent {self.agent!r}"),
            tenant=around.tenant,
            user=around.user,
        )
        what = f"agent {self.agent!r}"
        refuse_cancelled()
        try:
            given = await workflow.execute_child_workflow(
                AGENT_WORKFLOW,
                packed(request, f"The input of {what}", workflow.payload_converter()),
                id=f"{workflow.info().workflow_id}/{self.agent}-{workflow.uuid4().hex[:8]}",
                result_type=RawValue,
                cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
                parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
                static_summary=shorten(input) if isinstance(input, str) else self.agent,
            )
        except ChildWorkflowError as error:
            if is_cancelled_exception(error) and (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError from error
            raise AgentFailed(f"Agent {self.agent!r} failed as {error.workflow_id}: {_reason(error)}") from error
        result = unpacked(given, f"The result of {what}", AgentResult)
        current_run().used(**result.usage.model_dump())
        return result.output


def _reason(error: ChildWorkflowError) -> str:
    cause = error.cause
    return f"{cause.type}: {cause.message}" if isinstance(cause, ApplicationError) else str(cause or error)
