"""A check's run: the agent in a worker of this process, on the server of the task, with a made-up model."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.messages import AIMessage
from langgraph.store.memory import InMemoryStore
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.service import RPCError

from activities.wire import hints_of
from agents.errors import InvalidInput, UnknownAgent
from temporal.checking import draws
from temporal.checking.building import Subject, built, model_name, shape
from temporal.checking.canned import Canned, CannedInterceptor, retrieve
from temporal.checking.examples import from_schema, of_type
from temporal.checking.model import ExploringModel
from temporal.checking.record import Ran, Script, Task
from temporal.checking.tracing import Tracing
from temporal.replay import scheduled
from temporal.settings import Settings
from temporal.worker import make_worker, ready_process
from workflows.contracts import AGENT_WORKFLOW, QUESTIONS
from workflows.lines import authors_line, home_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from temporalio.client import WorkflowHistory
    from temporalio.worker import Worker


QUESTION = "This is a made-up question."
ANSWER = "yes"
POLL, STARTING = 0.1, 120.0
"""Seconds between two looks at the run, and seconds that a worker may take to come up."""

PROMPTLY = timedelta(seconds=10)


async def run(task: Task) -> Ran:
    ready_process()
    draws.install()
    try:
        subject, again = Subject.of(task.agent), Subject.of(task.agent)
    except (InvalidInput, UnknownAgent):
        raise
    except Exception as error:  # noqa: BLE001 -- an author's module, and its `build`, may raise anything
        return Ran(agent=task.agent, problem=f"{type(error).__name__}: {error}")
    agent = subject.agent
    known = Ran(
        agent=agent.name, built=built(subject), rebuilt=shape(again.graph), tools=[tool.name for tool in agent.tools]
    )
    return known.model_copy(update=await _run(task, subject))


async def _run(task: Task, subject: Subject) -> dict[str, Any]:
    """What there is to be known of the run, by the fields of `Ran`."""
    tracing, canned = Tracing(), Canned(subject, task.script, run_tools=task.run_tools)
    client = await Client.connect(
        task.address, data_converter=task.converter(), interceptors=[tracing, CannedInterceptor(canned)]
    )
    worker = _worker(client, subject, task.script)
    serving = asyncio.create_task(worker.run())
    given = made_up_input(subject) if task.input is None else task.input
    handle = await client.start_workflow(
        AGENT_WORKFLOW,
        {"agent": subject.agent.name, "input": given},
        id=f"check-{subject.agent.name}-{secrets.token_hex(4)}",
        task_queue=worker.task_queue,
    )
    trouble = await _to_its_end(handle, task, home_of(subject.agent))
    if trouble is None:
        await worker.shutdown()
        await serving
    history = await handle.fetch_history()
    outcome, failure = await _outcome(handle, history)
    return {
        "outcome": outcome,
        "failure": trouble.said if trouble else failure,
        "seen": tracing.of(handle.id)[-1],
        "workflow_id": handle.id,
        "history": history.to_json(),
        "steps": [name for name, _ in scheduled(history)],
        "made_up": list(dict.fromkeys(canned.made_up)),
        "models": list(dict.fromkeys(canned.models)),
        "stuck": trouble.line if trouble else None,
    }


def _worker(client: Client, subject: Subject, script: Script) -> Worker:
    """Its cache is on: without one, a run that can't be replayed would not come to its end."""
    model = ExploringModel(script=messages_of(script))
    store = InMemoryStore()
    return make_worker(
        client,
        Settings(task_queue=f"check-{secrets.token_hex(4)}"),
        registry=subject.registry,
        model_id=model_name,
        chat_model=lambda _id: model,
        activities=[retrieve],
        store=lambda _types, _root: store,
    )


def messages_of(script: Script) -> list[AIMessage] | None:
    """A text is an answer, an object has the fields of an `AIMessage`; its tool calls need no ids."""
    if script.model is None:
        return None
    return [_message(answer, position) for position, answer in enumerate(script.model, start=1)]


def _message(answer: str | dict[str, Any], position: int) -> AIMessage:
    if isinstance(answer, str):
        return AIMessage(answer)
    calls = [
        {"id": f"call-{position}-{number}", "type": "tool_call", "args": {}, **call}
        for number, call in enumerate(answer.get("tool_calls", []), start=1)
    ]
    return AIMessage(**{"content": "", **answer, "tool_calls": calls})


def made_up_input(subject: Subject) -> Any:
    """By the graph's own schema: a question where it holds a conversation, and what else it needs."""
    graph = subject.graph
    function = next((subject.function(name, node.bound) for name, node in graph.nodes.items()), None)
    annotation = getattr(getattr(graph, "builder", None), "input_schema", None) or _first_parameter(function)
    try:
        fields = of_type(annotation)
    except (LookupError, TypeError, ValueError):
        fields = None
    if "messages" not in graph.channels:
        return fields if fields is not None else {}
    others = {name: value for name, value in fields.items() if name != "messages"} if isinstance(fields, dict) else {}
    return {"messages": [{"role": "user", "content": QUESTION}], **others} if others else QUESTION


def _first_parameter(function: Any) -> Any:
    hints = {name: hint for name, hint in hints_of(function).items() if name != "return"}
    return next(iter(hints.values()), None)


class _Trouble(NamedTuple):
    """A task of the workflow failed, which the server would try again for ever."""

    said: str
    line: str | None


async def _to_its_end(handle: WorkflowHandle[Any, Any], task: Task, home: str) -> _Trouble | None:
    """Answers what the graph asks. A run that gets nowhere, or takes too long, is ended."""
    answers = _Answers(task.script.answers)
    await _begun(handle)
    deadline = time.monotonic() + task.patience
    while (description := await handle.describe()).status == WorkflowExecutionStatus.RUNNING:
        trouble = await _trouble(handle, home)
        if trouble or time.monotonic() > deadline:
            with suppress(RPCError):  # it may have ended just now
                await handle.terminate("The check has seen enough.")
            return trouble
        if description.typed_search_attributes.get(QUESTIONS):
            await _answer(handle, answers)
        await asyncio.sleep(POLL)
    return None


async def _begun(handle: WorkflowHandle[Any, Any]) -> None:
    """How long the worker takes to come up is not the run's time."""
    deadline = time.monotonic() + STARTING
    started = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
    while time.monotonic() < deadline:
        if any(event.event_type == started for event in (await handle.fetch_history()).events):
            return
        await asyncio.sleep(POLL)


class _Answers:
    """The script's answers in their order, each for one question; then made-up ones."""

    def __init__(self, script: Sequence[Any]) -> None:
        self._left = [*script]
        self._given: dict[str, Any] = {}

    def to(self, question: Mapping[str, Any]) -> Any:
        identifier = question["id"]
        if identifier not in self._given:
            self._given[identifier] = self._left.pop(0) if self._left else _made_up_answer(question)
        return self._given[identifier]


async def _answer(handle: WorkflowHandle[Any, Any], answers: _Answers) -> None:
    """What is not answered now, since the run has gone on or is busy, is asked for again."""
    with suppress(RPCError, WorkflowQueryFailedError, WorkflowUpdateFailedError):
        for question in await handle.query("questions", rpc_timeout=PROMPTLY):
            arguments = [question["id"], answers.to(question), question.get("deciders", [])]
            await handle.execute_update("answer", args=arguments, rpc_timeout=PROMPTLY)


def _made_up_answer(question: Mapping[str, Any]) -> Any:
    """LangChain's middleware for approvals takes one decision for each call that it asks about."""
    match question:
        case {"value": {"action_requests": requests}}:
            return {"decisions": [{"type": "approve"} for _ in requests]}
        case {"kind": "approval"}:
            return True
        case {"kind": "unknown_outcome"}:
            return "tell_model"
        case {"answer_schema": dict(schema)}:
            return from_schema(schema)
        case _:
            return ANSWER


async def _outcome(handle: WorkflowHandle[Any, Any], history: WorkflowHistory) -> tuple[Any, str | None]:
    status = (await handle.describe()).status
    if status == WorkflowExecutionStatus.FAILED:
        return "failed", history.events[-1].workflow_execution_failed_event_attributes.failure.message
    return ("completed" if status == WorkflowExecutionStatus.COMPLETED else "unfinished"), None


async def _trouble(handle: WorkflowHandle[Any, Any], home: str) -> _Trouble | None:
    """A task that timed out is tried again, and that is well, unless the agent's code still has the thread."""
    for event in (await handle.fetch_history()).events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT and (line := _where_threads_are(home)):
            return _Trouble("deadlock", line)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            said = event.workflow_task_failed_event_attributes.failure.message
            return _Trouble(said, _where_threads_are(home) if "deadlock" in said.lower() else None)
    return None


def _where_threads_are(home: str) -> str | None:
    """The line of the agent's package that a workflow's thread is stuck in."""
    lines = (authors_line(frame, home) for frame in sys._current_frames().values())  # noqa: SLF001 -- documented
    return next(filter(None, lines), None)
