"""Strict replay: runs a history again and compares not only the commands, as Temporal does, but what they carry.

LangGraph draws ids at random. Where one of them slips past the shims, the commands are the same and their inputs
differ: ordinary replay passes, and the ids that a client saw are wrong after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    StartActivityInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from temporal.converter import DATA_CONVERTER
from temporal.interceptors import GraphInterceptor
from temporal.worker import WORKFLOWS, ready_process

if TYPE_CHECKING:
    from temporalio.client import WorkflowHistory

    from workflows.graph import Graphs


class InputsDiffer(AssertionError):
    """An activity was given another input on replay than in the history."""


class ResultDiffers(AssertionError):
    """The workflow ended otherwise on replay than in the history."""


@dataclass
class _Recorder(Interceptor):
    """Keeps the inputs of all activities that the replayed workflow starts, in order, and how it ends."""

    started: list[tuple[str, list[bytes]]] = field(default_factory=list)
    ended: bytes | None = None

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 -- the SDK's signature
    ) -> type[WorkflowInboundInterceptor]:
        recorder = self

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002 -- the SDK's name
                payloads = workflow.payload_converter().to_payloads(input.args)
                recorder.started.append((input.activity, [payload.data for payload in payloads]))
                return super().start_activity(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 -- the SDK's name
                recorder.ended = None
                result = await super().execute_workflow(input)
                recorder.ended = workflow.payload_converter().to_payload(result).data
                return result

        return Inbound


async def replay_strictly(history: WorkflowHistory, graphs: Graphs) -> None:
    """Raises Temporal's nondeterminism error where the commands differ, `InputsDiffer` or `ResultDiffers` where what
    they carry does.
    """
    ready_process()
    recorder = _Recorder()
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[recorder, GraphInterceptor(graphs)],
        data_converter=DATA_CONVERTER,
    )
    await replayer.replay_workflow(history)
    recorded = scheduled(history)
    for position, (then, now) in enumerate(zip(recorded, recorder.started, strict=False), start=1):
        if then != now:
            raise InputsDiffer(f"Activity {position} of {history.workflow_id!r}: recorded {then}, replayed {now}")
    if (result := _result(history)) is not None and result != recorder.ended:
        raise ResultDiffers(f"The result of {history.workflow_id!r}: recorded {result!r}, replayed {recorder.ended!r}")


def _result(history: WorkflowHistory) -> bytes | None:
    """What the history says that the workflow returned, if it has."""
    last = history.events[-1]
    if last.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
        return None
    [payload] = last.workflow_execution_completed_event_attributes.result.payloads
    return payload.data


def scheduled(history: WorkflowHistory) -> list[tuple[str, list[bytes]]]:
    """The activities of a history, in the order in which they were scheduled: type and input payloads."""
    attributes = (
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    )
    return [(each.activity_type.name, [payload.data for payload in each.input.payloads]) for each in attributes]
