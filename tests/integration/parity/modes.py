"""Runs many cases at once: in plain LangGraph, on one worker, and on a worker that is replaced after every step."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.converter import decode_typed_search_attributes
from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker, WorkerConfig

from activities.queries import ask
from agents import Registry
from agents.agent import LiveResources
from agents.exchange import graph_input
from agents.graph import compiled_graph
from temporal.replay import replay_strictly, scheduled
from temporal.settings import Settings, WorkerSettings
from temporal.worker import make_worker
from tests.integration.parity.case import Case
from tests.integration.parity.watching import STREAMS, Stream, watched
from workflows.contracts import AGENT_WORKFLOW, QUESTIONS
from workflows.graph import Graphs

PATIENCE = timedelta(minutes=4)


@dataclass(frozen=True)
class Ran:
    """How a case went. `streams` has one for each time that the run was begun, the last of them whole."""

    streams: list[Stream]
    failure: str = ""
    output: Any = None
    history: WorkflowHistory | None = None
    replayed: Stream = field(default_factory=list)
    differs: Exception | None = None
    """What strict replay found."""

    @property
    def stream(self) -> Stream:
        return self.streams[-1] if self.streams else []

    @property
    def steps(self) -> list[str]:
        return [name for name, _ in scheduled(self.history)] if self.history else []


# Plain LangGraph


async def run_plainly(case: Case) -> Ran:
    """In LangGraph with a checkpointer, as its users run a graph that asks people."""
    agent, store, thread = watched(case.agent()), InMemoryStore(), f"plain-{uuid.uuid4().hex}"
    models = _models([case])
    resources = LiveResources(
        models.__getitem__, list(case.tools), agents=[called.agent() for called in case.called], store=store
    )
    graph = compiled_graph(agent, resources).copy({"store": store, "checkpointer": InMemorySaver()})
    config = {"configurable": {"thread_id": thread}, "recursion_limit": agent.recursion_limit}
    try:
        state = await graph.ainvoke(graph_input(graph, case.given), config)
        while asked := _interrupts(state):
            answers = {interrupt.id: case.answer(interrupt.value) for interrupt in asked}
            state = await graph.ainvoke(Command(resume=answers), config)
    except Exception as error:
        if not case.fails:
            raise
        return Ran(STREAMS.pop(thread), failure=f"{type(error).__name__}: {error}")
    stream = STREAMS.pop(thread)[-1]
    # an agent that is called is a workflow of its own there, where it is a subgraph here
    return Ran([[event for event in stream if not (case.called and event.namespace)]])


def _interrupts(state: Any) -> list[Any]:
    return state.get("__interrupt__", []) if isinstance(state, dict) else []


# In workflows


@dataclass
class Workers:
    """Makes workers for all agents of the cases, each with a registry, graphs and tools of its own."""

    client: Client
    cases: Sequence[Case]
    settings: Settings
    store: InMemoryStore = field(default_factory=InMemoryStore)

    @property
    def registry(self) -> Registry:
        return Registry.of([watched(case.agent()) for case in _with_called(self.cases)])

    @property
    def graphs(self) -> Graphs:
        return Graphs.of(self.registry, str)

    def make(self, *without: str) -> Worker:
        """`without` "workflows" or "activities", it leaves those to others."""
        models = _models(self.cases)
        return make_worker(
            Client(**{**self.client.config(), "plugins": [_Without(without)]}),
            self.settings,
            registry=self.registry,
            model_id=str,
            chat_model=models.__getitem__,
            store=lambda _types, _root: self.store,
        )


class _Without(SimplePlugin):
    def __init__(self, left_out: Sequence[str]) -> None:
        super().__init__("without")
        self._left_out = left_out

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        return {**config, **dict.fromkeys(self._left_out, ())}


async def run_in_workflows(client: Client, cases: Sequence[Case], mode: str) -> dict[str, Ran]:
    """`mode`: "cache on", "cache off", "sandbox", "worker replaced". The runs, replayed strictly, by name."""
    settings = Settings(
        task_queue=f"parity-{uuid.uuid4().hex[:8]}",
        worker=WorkerSettings(cached_workflows=100 if mode == "cache on" else 0, sandbox=mode == "sandbox"),
    )
    workers = Workers(client, cases, settings)
    graphs = workers.graphs
    handles = {case.name: await _start(client, case, settings.task_queue) for case in cases}
    driven = asyncio.gather(*(_drive(handles[case.name], case) for case in cases))
    if mode == "worker replaced":
        await _replace_workers(workers, list(handles.values()))
    else:
        async with workers.make():
            await driven
    return {
        name: await _replayed(handle, graphs, result)
        for (name, handle), result in zip(handles.items(), await driven, strict=True)
    }


async def _start(client: Client, case: Case, task_queue: str) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        AGENT_WORKFLOW,
        {"agent": case.name, "input": case.given},
        id=f"{case.name}-{uuid.uuid4().hex[:8]}",
        task_queue=task_queue,
        execution_timeout=PATIENCE,
    )


async def _drive(handle: WorkflowHandle[Any, Any], case: Case) -> Any:
    """The result of a run, whose questions are answered, or its failure."""
    if case.answer:
        await _answer(handle, case)
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        return error


async def _answer(handle: WorkflowHandle[Any, Any], case: Case) -> None:
    answered: set[str] = set()
    while (description := await handle.describe()).status == WorkflowExecutionStatus.RUNNING:
        waiting = set(description.typed_search_attributes.get(QUESTIONS) or []) - answered
        if not waiting:
            await asyncio.sleep(0.2)
            continue
        for question in await ask(handle, "questions", list[Any]):  # a worker that is replaced may lose it
            answered.add(question["id"])
            await handle.execute_update("answer", args=[question["id"], case.answer(question["value"])])


async def _replayed(handle: WorkflowHandle[Any, Any], graphs: Graphs, result: Any) -> Ran:
    history = await handle.fetch_history()
    streams = STREAMS.pop(handle.id, [])
    differs = None
    try:
        await replay_strictly(history, graphs)
    except Exception as error:  # noqa: BLE001 -- one case must not fail the others
        differs = error
    [replayed] = STREAMS.pop(handle.id, [[]])
    failed = isinstance(result, WorkflowFailureError)
    return Ran(
        streams,
        failure=str(result.cause) if failed else "",
        output=None if failed else result["output"],
        history=history,
        replayed=replayed,
        differs=differs,
    )


# A worker that is replaced


async def _replace_workers(workers: Workers, handles: list[WorkflowHandle[Any, Any]]) -> None:
    """While activities run no worker has the workflows, and the next one starts from nothing but the history.

    The activities stay the same objects: they could not ask a workflow that no worker has for a conversation.
    """
    activities: Worker | None = None
    while handles:
        alive = {handle.id.rpartition("-")[0] for handle in handles}
        asking = {handle.id for handle in handles if _asks(await _described(workers.client, handle.id))}
        left = replace(workers, cases=[case for case in workers.cases if case.name in alive])
        async with left.make("activities"):
            await _settled(workers.client, handles, partial(_is_busy, asking))
        activities = Worker(**activities.config()) if activities else workers.make("workflows")
        async with activities:
            await _settled(workers.client, handles, lambda state: bool(state.pending_activities))


def _is_busy(asking: Container[str], state: Any) -> bool:
    """A run that asked the worker before this one has its answer from this one, however soon it comes and goes."""
    return state.HasField("pending_workflow_task") or (
        state.workflow_execution_info.execution.workflow_id in asking and _asks(state)
    )


def _asks(state: Any) -> bool:
    open_ = not state.workflow_execution_info.HasField("close_time")
    return open_ and bool(
        decode_typed_search_attributes(state.workflow_execution_info.search_attributes).get(QUESTIONS)
    )


async def _settled(client: Client, handles: list[WorkflowHandle[Any, Any]], is_busy: Callable[[Any], bool]) -> None:
    """Returns when none is busy. Takes in the runs that these have started, and forgets those that are over."""
    found_busy = True
    while found_busy:
        found_busy = False
        for handle in [*handles]:
            while is_busy(state := await _described(client, handle.id)):
                found_busy = True
                await asyncio.sleep(0.05)
            known = {handle.id for handle in handles}
            started = (child.workflow_id for child in state.pending_children)
            handles.extend(map(client.get_workflow_handle, set(started) - known))
            if state.workflow_execution_info.HasField("close_time"):
                handles.remove(handle)


async def _described(client: Client, workflow_id: str) -> Any:
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        )
    )


def _with_called(cases: Sequence[Case]) -> Iterator[Case]:
    for case in cases:
        yield case
        yield from _with_called(case.called)


def _models(cases: Sequence[Case]) -> dict[str | None, Any]:
    return {name: model for case in _with_called(cases) for name, model in case.scripted().items()}
