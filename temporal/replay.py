"""Strict replay: runs a history again and compares not only the commands, as Temporal does, but what they carry.

LangGraph draws ids at random. Where one of them slips past the shims, the commands are the same and their inputs
differ: ordinary replay passes, and the ids that a client saw are wrong after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError
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

from activities.sizes import Limits
from temporal.converter import DATA_CONVERTER
from temporal.interceptors import GraphInterceptor
from temporal.runners import ClosingRunner
from temporal.worker import WORKFLOWS, ready_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from temporalio.api.common.v1 import Payload
    from temporalio.client import WorkflowHistory
    from temporalio.converter import DataConverter

    from workflows.graph import Graphs


class InputsDiffer(AssertionError):
    """An activity was given another input on replay than in the history."""


class ResultDiffers(AssertionError):
    """The workflow ended otherwise on replay than in the history."""


@dataclass
class _Recorder(Interceptor):
    """Keeps the activities that the replayed workflow starts, in order, with their inputs, and how it ends."""

    started: list[tuple[str, list[bytes], workflow.ActivityHandle[Any]]] = field(default_factory=list)
    ended: bytes | None = None

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 -- the SDK's signature
    ) -> type[WorkflowInboundInterceptor]:
        recorder = self

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002 -- the SDK's name
                payloads = workflow.payload_converter().to_payloads(input.args)
                handle = super().start_activity(input)
                recorder.started.append((input.activity, [payload.data for payload in payloads], handle))
                return handle

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 -- the SDK's name
                recorder.ended = None
                result = await super().execute_workflow(input)
                recorder.ended = workflow.payload_converter().to_payload(result).data
                return result

        return Inbound

    def sent(self) -> list[tuple[str, list[bytes]]]:
        """Those that the server has heard of: one that is cancelled in the task that starts it is in no history."""
        return [(name, inputs) for name, inputs, handle in self.started if not _is_unsent(handle)]


def _is_unsent(handle: workflow.ActivityHandle[Any]) -> bool:
    error = handle.exception() if handle.done() and not handle.cancelled() else None
    return isinstance(error, ActivityError) and not error.scheduled_event_id


async def replay_strictly(
    history: WorkflowHistory,
    graphs: Graphs,
    *,
    converter: DataConverter = DATA_CONVERTER,
    limits: Limits | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> None:
    """Raises Temporal's nondeterminism error where the commands differ, `InputsDiffer` or `ResultDiffers` where what
    they carry does.

    `converter` and `limits` are those of the worker; `interceptors` look on.
    """
    ready_process()
    recorder = _Recorder()
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=ClosingRunner(UnsandboxedWorkflowRunner()),
        interceptors=[*interceptors, recorder, GraphInterceptor(graphs, limits or Limits())],
        data_converter=converter,
        debug_mode=True,  # a busy machine must not make a deadlock of a long replay
    )
    await replayer.replay_workflow(history)
    recorded = [(name, await _resolved(inputs, converter)) for name, inputs in _scheduled(history)]
    for position, (then, now) in enumerate(zip(recorded, recorder.sent(), strict=False), start=1):
        if then != now:
            raise InputsDiffer(f"Activity {position} of {history.workflow_id!r}: recorded {then}, replayed {now}")
    result = await _resolved(_result(history), converter)
    if result and result != [recorder.ended]:
        raise ResultDiffers(f"The result of {history.workflow_id!r}: recorded {result!r}, replayed {recorder.ended!r}")


def _result(history: WorkflowHistory) -> Sequence[Payload]:
    """What the history says that the workflow returned, if it has."""
    return history.events[-1].workflow_execution_completed_event_attributes.result.payloads


def scheduled(history: WorkflowHistory) -> list[tuple[str, list[bytes]]]:
    """The activities of a history, in the order in which they were scheduled: type and input payloads."""
    return [(name, [payload.data for payload in inputs]) for name, inputs in _scheduled(history)]


def _scheduled(history: WorkflowHistory) -> Iterator[tuple[str, Sequence[Payload]]]:
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            attributes = event.activity_task_scheduled_event_attributes
            yield attributes.activity_type.name, attributes.input.payloads


async def _resolved(payloads: Sequence[Payload], converter: DataConverter) -> list[bytes]:
    """What the payloads hold, where the history has references, too."""
    values = await converter.decode(payloads, [RawValue] * len(payloads))
    return [value.payload.data for value in values]
