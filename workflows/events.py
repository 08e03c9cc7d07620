"""What a run itself tells its watchers. Runs in workflows.

Events leave through the sink of the worker that has the run, silent on replay and numbered as the code runs. The last
of them are kept, as references: what is lost with a worker is asked for by query.
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.config import get_config
from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.events import EventSink, NoEvents, encoded, namespace_of, plainly
from activities.failures import words_of
from activities.telling import step_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from temporalio.workflow import ActivityHandle

KEPT = 500
"""Events that a run keeps. They refer to what the run holds anyway."""

MOST_TOLD = 512 * 1024
"""Bytes of one answer to the query; there may be more to ask for."""

DEBUG = "debug"

SINK: ContextVar[EventSink] = ContextVar("perdure_sink", default=NoEvents())  # noqa: B039 -- it has no state
"""Of the worker that runs this workflow. Its interceptor sets it."""

DEBUGGING: ContextVar[bool] = ContextVar("perdure_debugging", default=False)


class EventPage(BaseModel):
    """The answer to the query `events`. `last` is the newest event's number; where `events` ends before it, ask on."""

    model_config = ConfigDict(frozen=True)

    events: list[dict[str, Any]] = []
    last: int = 0


class RunEvents:
    """`values` is the newest state of the graph. `sequence` goes along when the run goes on in a new execution."""

    def __init__(self) -> None:
        self.sequence = 0
        self.turn: str | None = None
        self.values: Any = None
        self._kept: deque[tuple[int, str, dict[str, Any]]] = deque(maxlen=KEPT)

    def tell(self, type_: str, **fields: Any) -> None:
        self.sequence += 1
        if self.turn is not None:
            fields["turn"] = self.turn
        self._kept.append((self.sequence, type_, fields))
        if not workflow.unsafe.is_replaying_history_events():
            self._sink.publish(self._run, encoded(self._run, type_, self.sequence, **fields))

    @cached_property
    def _run(self) -> str:
        return workflow.info().workflow_id

    @cached_property
    def _sink(self) -> EventSink:
        return SINK.get()

    def begin(self, agent: str, *, continued: bool) -> None:
        execution = workflow.info().first_execution_run_id
        self.tell("run", agent=agent, execution=execution, state="continued" if continued else "started")

    def page(self, after: int) -> EventPage:
        """Those after number `after` that are kept."""
        told, size = [], 0
        for sequence, type_, fields in self._kept:
            if sequence > after and size < MOST_TOLD:
                event = encoded(self._run, type_, sequence, **fields)
                size += len(event)
                told.append(json.loads(event))
        return EventPage(events=told, last=self.sequence)

    def streamed(self, chunk: tuple[tuple[str, ...], str, Any]) -> None:
        """What LangGraph streams at any depth. Interrupts are told where they are asked, by the run."""
        namespace, mode, value = chunk
        inside = {"namespace": [*namespace]} if namespace else {}
        match mode:
            case "values":
                if not namespace:
                    self.values = value
            case "updates":
                for node, update in value.items():
                    if not node.startswith("__"):
                        self.tell("update", node=node, value=update, **inside)
            case "tasks":
                self.tell("task", **_task(value), **inside)
            case "debug":
                self._debug(value, inside)

    def wrote(self, value: Any) -> None:
        """A node's stream writer. What a step has written was told by the step, as it wrote it."""
        if not TOLD.get():
            metadata = get_config().get("metadata") or {}
            namespace = namespace_of(metadata.get("langgraph_checkpoint_ns", ""))
            self.tell("custom", value=value, **({"namespace": namespace} if namespace else {}))

    def _debug(self, value: Any, inside: dict[str, Any]) -> None:
        """Neither numbered nor kept: workers that do not debug number the same."""
        if not workflow.unsafe.is_replaying_history_events():
            self._sink.publish(self._run, encoded(self._run, "debug", 0, value=plainly(value), **inside))


TOLD: ContextVar[bool] = ContextVar("perdure_told", default=False)


@contextmanager
def told_already() -> Iterator[None]:
    """Around what a graph's stream writer is given that watchers have been told by a step."""
    token = TOLD.set(True)
    try:
        yield
    finally:
        TOLD.reset(token)


class ToldStep:
    """Tells that `step` is scheduled, and how it ends. An eviction is no end."""

    __slots__ = ("_events", "_told")

    def __init__(self, events: RunEvents, activity: str, step: ActivityHandle[Any], summary: str) -> None:
        self._events = events
        self._told = {"step": step_id(workflow.info().run_id, activity_id(step)), "activity": activity, **_node()}
        events.tell("step", state="scheduled", summary=summary, **self._told)

    def end(self, error: BaseException | None) -> None:
        if error is None:
            self._events.tell("step", state="completed", **self._told)
        elif isinstance(error, (ActivityError, ApplicationError)):
            self._events.tell("step", state="failed", error=_reason(error), **self._told)


def activity_id(step: ActivityHandle[Any]) -> str:
    """The SDK numbers activities and tells nobody; tests/unit/workflows/test_events.py fails when it does otherwise."""
    return str(getattr(step, "_seq", ""))


def _node() -> dict[str, Any]:
    metadata = (var_child_runnable_config.get() or {}).get("metadata") or {}
    node = metadata.get("langgraph_node")
    namespace = namespace_of(metadata.get("langgraph_checkpoint_ns", ""))
    return ({"node": node} if node else {}) | ({"namespace": namespace} if namespace else {})


def _reason(error: ActivityError | ApplicationError) -> str:
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.type:
        return f"{cause.type}: {cause.message}"
    return str(cause or error)


def _task(value: dict[str, Any]) -> dict[str, Any]:
    told = {"task": value["id"], "node": value["name"]}
    if "result" not in value:
        return told | {"state": "started"}
    error, asked = value.get("error"), value.get("interrupts")
    told |= {"state": "finished"}
    if error:
        told |= {
            "error": f"{type(error).__name__}: {words_of(error)}" if isinstance(error, BaseException) else str(error)
        }
    return told | ({"interrupts": [interrupt["id"] for interrupt in asked]} if asked else {})
