"""Witnesses what each node is given and gives, which steps it begins and what goes wrong in it. Runs in workflows.

LangChain tells its callbacks of every node, edge and task of a graph, at whatever depth.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers.context import register_configure_hook
from langgraph.errors import GraphBubbleUp
from temporalio import workflow
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.exceptions import is_cancelled_exception
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from activities.node import graph_types
from activities.wire import decode, encode
from agents.errors import BlockingCall, UnsupportedValue
from temporal.checking.record import Draw, Event, Raised, Refusal, Seen
from temporal.checking.rendering import rendered
from workflows import guard
from workflows.determinism import Evicted
from workflows.lines import authors_line, raised_at
from workflows.run import Run
from workflows.steps import shorten

if TYPE_CHECKING:
    from uuid import UUID


class Witness(AsyncCallbackHandler):
    """Of one execution of a workflow, or of one replay of it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.draws: list[Draw] = []
        self.refusals: list[Refusal] = []
        self.raised: list[Raised] = []
        self.open: dict[UUID, Event] = {}
        self.uncarried: list[tuple[str, str]] = []
        self._last_error: BaseException | None = None

    def seen(self) -> Seen:
        return Seen(
            events=self.events,
            draws=list(dict.fromkeys(self.draws)),
            refusals=self.refusals,
            raised=self.raised,
            open=[event.node for event in self.open.values() if event.node],
            uncarried=self.uncarried,
        )

    # LangChain's callbacks

    async def on_chain_start(
        self,
        serialized: Any,  # noqa: ARG002 -- the base's signature
        inputs: Any,
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        node = path_of((metadata or {}).get("langgraph_checkpoint_ns", ""))
        name = options.get("name") or "lambda"
        kind = "node" if name == node.rpartition(".")[2] else "call"
        self.open[run_id] = Event(kind=kind, node=node, name=name, given=rendered(inputs))

    async def on_chain_end(self, outputs: Any, *, run_id: UUID, **_options: Any) -> None:
        self._end(run_id, rendered(outputs))

    async def on_chain_error(self, error: BaseException, *, run_id: UUID, **_options: Any) -> None:
        event = self._end(run_id, {"raised": type(error).__name__})
        is_new = error is not self._last_error
        self._last_error = error
        if event and is_new and not _is_harmless(error):
            said = f"{type(error).__name__}: {shorten(str(error), 300)}"
            self.raised.append(Raised(node=event.node, line=raised_at(error.__traceback__), said=said))

    def _end(self, run_id: UUID, gave: Any) -> Event | None:
        event = self.open.pop(run_id, None)
        if event and event.node:
            event = event.model_copy(update={"gave": gave})
            self.events.append(event)
            return event
        return None

    # What others tell

    def step(self, name: str, arguments: Any) -> None:
        payloads = workflow.payload_converter().to_payloads(arguments)
        given = [payload.data.decode(errors="replace") for payload in payloads]
        line = authors_line(sys._getframe())  # noqa: SLF001 -- the way to look at one's callers
        self.events.append(Event(kind="step", node=node_path(), name=name, given=given, line=line))

    def draw(self, **fields: Any) -> None:
        self.draws.append(Draw(node=node_path(), **fields))

    def refuse(self, _node: str | None, line: str | None, said: str) -> None:
        self.refusals.append(Refusal(node=node_path() or None, line=line, said=said))

    def look_at_state(self) -> None:
        """What would be handed to a new execution, had the run been long."""
        run = getattr(workflow.instance(), "current", None)
        if not isinstance(run, Run):
            return
        types = graph_types(run.agent, run.graph, ())
        for snapshot in run.saver.snapshots():
            for channel, value in snapshot.values.items():
                try:
                    decode(encode(value, path=channel), types)
                except UnsupportedValue as error:
                    self.uncarried.append((channel, str(error)))


def _is_harmless(error: BaseException) -> bool:
    """What LangGraph steers by, what the guard has told already, and what ends a run from outside."""
    return isinstance(error, (GraphBubbleUp, BlockingCall, Evicted)) or is_cancelled_exception(error)


WITNESS: ContextVar[Witness | None] = ContextVar("perdure_check_witness", default=None)
register_configure_hook(WITNESS, inheritable=True)


class Tracing(ClientInterceptor, Interceptor):
    """Gives each execution of a workflow a witness of its own. On a client, it serves the client's workers, too."""

    def __init__(self) -> None:
        self.witnesses: list[tuple[str, Witness]] = []

    def of(self, workflow_id: str) -> list[Seen]:
        return [witness.seen() for identifier, witness in self.witnesses if identifier == workflow_id]

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 -- the SDK's signature
    ) -> type[WorkflowInboundInterceptor]:
        witnesses = self.witnesses

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(_Outbound(outbound))

            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 -- the SDK's name
                witness = Witness()
                witnesses.append((workflow.info().workflow_id, witness))
                WITNESS.set(witness)
                guard.WITNESS.set(witness.refuse)
                try:
                    return await super().execute_workflow(input)
                finally:
                    witness.look_at_state()

        return Inbound


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002 -- the SDK's name
        _step(input.activity, input.args)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002 -- ditto
        _step(input.activity, input.args)
        return super().start_local_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> workflow.ChildWorkflowHandle[Any, Any]:  # noqa: A002 -- ditto
        _step(input.workflow, input.args)
        return await super().start_child_workflow(input)


def _step(name: str, arguments: Any) -> None:
    if witness := WITNESS.get():
        witness.step(name, arguments)


def node_path() -> str:
    """The node whose code is running, by its path: `inner.model`."""
    config = var_child_runnable_config.get() or {}
    return path_of((config.get("metadata") or {}).get("langgraph_checkpoint_ns", ""))


def path_of(namespace: str) -> str:
    """LangGraph's namespace of a task, `inner:2f0e…|model:81c9…`, without its ids."""
    return ".".join(part.partition(":")[0] for part in namespace.split("|") if part and not part.isdigit())
