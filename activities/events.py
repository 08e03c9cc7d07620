"""What a run tells its watchers: the event protocol, which docs/streaming.md documents. Runs anywhere.

Events never pass through Temporal's history. Those of steps are numbered by step and attempt, those of the workflow by
run, so that a watcher sees what it has missed.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from agents.citation import Citation

VERSION = 1

MOST_BYTES = 256 * 1024
"""Of one event. What is larger goes without its values, and says so: `omitted`."""


MOST_TEXT = 10_000
"""Characters of each text of an event whose values were left out."""


class _Event(BaseModel):
    """`id` is a place in the run's stream, for coming back to it; `sequence` is counted from 1.

    With an `attempt` it counts the events of that attempt of the `step`, without one the events of the run.
    """

    model_config = ConfigDict(frozen=True)

    id: str = ""
    v: Literal[1] = 1
    run: str
    turn: str | None = None
    step: str | None = None
    attempt: int | None = None
    sequence: int
    namespace: list[str] = []
    omitted: int | None = None


class RunEvent(_Event):
    """The run begins, or goes on in a new execution. `execution` is the first one's id, the same for the whole run."""

    type: Literal["run"] = "run"
    agent: str
    execution: str
    state: Literal["started", "continued"]


class StepEvent(_Event):
    """One activity. The workflow tells that it is scheduled and how it ended, its worker that an attempt began."""

    type: Literal["step"] = "step"
    activity: str
    state: Literal["scheduled", "started", "completed", "failed", "cancelled"]
    summary: str = ""
    node: str | None = None
    error: str | None = None


class TokenEvent(_Event):
    """A piece of a model's answer. `message` is the id of the message that it becomes.

    `tool_calls` are LangChain's tool call chunks, `content` the blocks of a content that is more than text.
    """

    type: Literal["token"] = "token"
    message: str | None = None
    text: str = ""
    tool_calls: list[dict[str, Any]] = []
    content: Any = None


class ResetEvent(_Event):
    """A step begins anew: what its lower attempts have told is void."""

    type: Literal["reset"] = "reset"


class CustomEvent(_Event):
    """What a node or a tool has given to its stream writer."""

    type: Literal["custom"] = "custom"
    value: Any = None


class UpdateEvent(_Event):
    """What a node has returned."""

    type: Literal["update"] = "update"
    node: str
    value: Any = None


class ValuesEvent(_Event):
    """The state of the graph. Made where it is watched, from the workflow's query."""

    type: Literal["values"] = "values"
    value: Any = None


class TaskEvent(_Event):
    """A task of the graph begins or ends. `interrupts` are the ids of what it asks."""

    type: Literal["task"] = "task"
    task: str
    node: str
    state: Literal["started", "finished"]
    error: str | None = None
    interrupts: list[str] = []


class DebugEvent(_Event):
    """LangGraph's own debug event, whole. Only where PERDURE_STREAM__DEBUG asks for it, and never sent twice."""

    type: Literal["debug"] = "debug"
    value: Any = None


class InterruptEvent(_Event):
    """The run asks, and waits for the update `answer` with the id `interrupt`."""

    type: Literal["interrupt"] = "interrupt"
    interrupt: str
    value: Any = None


class UsageEvent(_Event):
    """What the run has cost so far."""

    type: Literal["usage"] = "usage"
    model_calls: int = 0
    tool_calls: int = 0
    retrievals: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class ResultEvent(_Event):
    """The end: of the run, or of its `turn` where it names one."""

    type: Literal["result"] = "result"
    status: Literal["completed", "failed", "cancelled", "terminated", "timed_out"]
    output: Any = None
    citations: list[Citation] = []
    error: str | None = None
    execution: str | None = None


class GapEvent(_Event):
    """Something was told that can't be had any more: `missed` events, where that is known."""

    type: Literal["gap"] = "gap"
    missed: int | None = None


class Asked(BaseModel):
    """A question that waits for its answer."""

    model_config = ConfigDict(frozen=True)

    id: str
    value: Any = None


class SnapshotEvent(_Event):
    """The state so far, for who comes late: it stands for all events of the run up to `sequence`."""

    type: Literal["snapshot"] = "snapshot"
    agent: str
    value: Any = None
    interrupts: list[Asked] = []
    usage: dict[str, int] = {}


Event = Annotated[
    RunEvent
    | StepEvent
    | TokenEvent
    | ResetEvent
    | CustomEvent
    | UpdateEvent
    | ValuesEvent
    | TaskEvent
    | DebugEvent
    | InterruptEvent
    | UsageEvent
    | ResultEvent
    | GapEvent
    | SnapshotEvent,
    Field(discriminator="type"),
]
EVENTS: TypeAdapter[Event] = TypeAdapter(Event)

_VALUES = ("value", "output", "content")


class EventSink(Protocol):
    """Takes encoded events in order. Never blocks and never raises: the run goes on without its watchers."""

    def publish(self, run: str, event: bytes) -> None: ...


class NoEvents:
    """The sink of a worker that nobody can watch."""

    def publish(self, run: str, event: bytes) -> None:
        """Forget it."""


def encoded(run: str, type_: str, sequence: int, **fields: Any) -> bytes:
    """The JSON of an event, without an id. What has no JSON form is described; what is too large is left out."""
    told = {"v": VERSION, "run": run, "type": type_, "sequence": sequence, **fields}
    try:
        data = _json(told)
    except (ValueError, RecursionError, RuntimeError):  # a circle, half of a surrogate pair
        return _json(_without_values(told, 0))
    return data if len(data) <= MOST_BYTES else _json(_without_values(told, len(data)))


def decoded(data: bytes | str, *, identifier: str = "") -> Event | None:
    """`None` for what a later version tells, which this one can't know."""
    told = json.loads(data)
    told["id"] = identifier
    try:
        return EVENTS.validate_python(told)
    except ValidationError:
        return None


def namespace_of(checkpoint: str) -> list[str]:
    """LangGraph's namespace of what a task streams, by the namespace of its checkpoints: `worker:1f0c…|model:77ab…`."""
    return checkpoint.split("|")[:-1]


def schema() -> dict[str, Any]:
    """The protocol as JSON schema."""
    return EVENTS.json_schema(mode="serialization")


def _json(told: dict[str, Any]) -> bytes:
    return to_json(told, fallback=_described, bytes_mode="base64", inf_nan_mode="null")


def _without_values(told: dict[str, Any], size: int) -> dict[str, Any]:
    left = {name: value for name, value in told.items() if name not in _VALUES} | {"omitted": size}
    return {name: _clean(value) if isinstance(value, str) else value for name, value in left.items()}


def _clean(text: str) -> str:
    return text[:MOST_TEXT].encode("utf-8", "replace").decode()


def _described(value: object) -> str:
    return f"<{type(value).__name__}>"


def plainly(value: Any) -> Any:
    """`value` as an event tells it."""
    return json.loads(encoded("", "custom", 0, value=value)).get("value")
