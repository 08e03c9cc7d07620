"""What surrounds every workflow of a worker: a deterministic loop, the worker's graphs, a check of the arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from activities.events import NoEvents
from activities.sizes import LIMITS
from agents.errors import InvalidInput
from workflows import determinism, guard
from workflows.events import DEBUGGING, SINK
from workflows.graph import GRAPHS
from workflows.window import WINDOW, Window

if TYPE_CHECKING:
    from activities.events import EventSink
    from activities.sizes import Limits
    from workflows.graph import Graphs


class GraphInterceptor(Interceptor):
    """Hands `graphs`, `limits` and where events go to the workflows of one worker."""

    def __init__(
        self, graphs: Graphs, limits: Limits, sink: EventSink | None = None, *, debugging: bool = False
    ) -> None:
        self._graphs = graphs
        self._limits = limits
        self._sink = sink or NoEvents()
        self._debugging = debugging

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 -- the SDK's signature
    ) -> type[WorkflowInboundInterceptor]:
        graphs, limits, sink, debugging = self._graphs, self._limits, self._sink, self._debugging

        class Inbound(_Inbound):
            def enter(self) -> None:
                super().enter()
                GRAPHS.set(graphs)
                LIMITS.set(limits)
                SINK.set(sink)
                DEBUGGING.set(debugging)

        return Inbound


class _Inbound(WorkflowInboundInterceptor):
    """Readies the loop where workflow code begins. In `init` it would be too early: there the loop is the worker's."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(outbound)
        self._window = Window()

    def enter(self) -> None:
        determinism.enter()
        guard.enter()
        WINDOW.set(self._window)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 -- the SDK's name
        self.enter()
        if len(input.args) > 1:
            raise ApplicationError(
                f"{workflow.info().workflow_type} takes one argument, a JSON object, and was given {len(input.args)}.",
                type=InvalidInput.__name__,
                non_retryable=True,
            )
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002 -- the SDK's name
        self.enter()
        await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:  # noqa: A002 -- the SDK's name
        self.enter()
        return await super().handle_query(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002 -- the SDK's name
        self.enter()
        return await super().handle_update_handler(input)
