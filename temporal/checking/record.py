"""What the processes of a check tell each other: the task, and what was seen while the agent ran or was replayed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from temporal.converter import data_converter
from temporal.storage import StorageLocation

if TYPE_CHECKING:
    from temporalio.converter import DataConverter


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Event(_Message):
    """A node that ended, a call within one, such as an edge's, or a step that was begun.

    Values are rendered: comparable, and without addresses.
    """

    kind: Literal["node", "call", "step"]
    node: str
    name: str
    given: Any = None
    gave: Any = None
    line: str | None = None


class Draw(_Message):
    """Code of a node asked for what no replay gives again. `is_own` is false where a library of its asked."""

    what: str
    source: Literal["random", "clock", "process", "files", "environment"]
    node: str
    line: str
    is_own: bool


class Refusal(_Message):
    """The guard stopped a node."""

    node: str | None
    line: str | None
    said: str


class Raised(_Message):
    """An exception came out of a node."""

    node: str
    line: str | None
    said: str


class Seen(_Message):
    """One execution of the workflow, or one replay of it."""

    events: list[Event] = []
    draws: list[Draw] = []
    refusals: list[Refusal] = []
    raised: list[Raised] = []
    open: list[str] = []
    """Nodes that have begun and not ended."""
    uncarried: list[tuple[str, str]] = []
    """Channels of the state that can't be carried into another execution, and why."""


class Place(_Message):
    """A node of the graph as it was built."""

    path: str
    line: str | None
    in_activity: bool


class Built(_Message):
    places: list[Place]
    shape: Any
    build_line: str | None


class Script(_Message):
    """What a user may decide of a check: the answers of the model, of tools by name, and to the graph's questions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: list[str | dict[str, Any]] | None = None
    tools: dict[str, Any] = {}
    answers: list[Any] = []


class Task(_Message):
    """`agent` is an installed agent's name, or `module:attribute`. `storage` is the folder of large payloads."""

    agent: str
    address: str = ""
    storage: Path
    input: Any = None
    script: Script = Script()
    run_tools: bool = False
    patience: float = 60.0
    workflow_id: str = ""
    history: str | None = None

    def converter(self) -> DataConverter:
        return data_converter(StorageLocation(str(self.storage), self.storage), "default")


class Ran(_Message):
    """`problem` says why there was no run at all; `stuck` where the workflow's thread was when it took too long."""

    agent: str
    problem: str | None = None
    built: Built | None = None
    rebuilt: Any = None
    outcome: Literal["completed", "failed", "unfinished"] = "unfinished"
    failure: str | None = None
    seen: Seen = Seen()
    workflow_id: str = ""
    history: str | None = None
    steps: list[str] = []
    tools: list[str] = []
    made_up: list[str] = []
    models: list[str] = []
    stuck: str | None = None


class Replayed(_Message):
    problem: str | None = None
    shape: Any = None
    passes: list[Seen] = []
    errors: list[str] = []
