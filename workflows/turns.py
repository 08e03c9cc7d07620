"""What passes between clients and threads: plain JSON, so that any Temporal client can take part."""

from __future__ import annotations

import operator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from activities.wire import Message
from agents.citation import Citation
from workflows.contracts import Party, Usage

THREAD_WORKFLOW = "ThreadWorkflow"

Policy = Literal["enqueue", "reject", "interrupt", "rollback", "steer"]
"""What becomes of a turn that is sent while another one runs."""

Status = Literal["queued", "running", "asking", "done", "failed", "interrupted", "rolled_back"]

OVER = frozenset[Status]({"done", "failed", "interrupted", "rolled_back"})

IDLE_SECONDS = 24 * 60 * 60.0
EVENTS = 480
"""About what 20 turns of three steps take, which are replayed within half a second."""


class ThreadInput(BaseModel):
    """What starts a thread.

    It ends by itself `idle` seconds after its last turn. Between two turns it goes on in a new execution, once its
    history has more than `events`: a worker that has lost the thread replays no more. `context`, `tenant` and `user`
    are those of a run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str = Field(min_length=1)
    policy: Policy = "enqueue"
    idle: float = Field(default=IDLE_SECONDS, gt=0, le=10 * 365 * 24 * 60 * 60)
    recursion_limit: int | None = Field(default=None, ge=1, le=10_000)
    context: dict[str, Any] | None = Field(default=None, exclude_if=operator.not_)
    tenant: Party | None = Field(default=None, exclude_if=operator.not_)
    user: Party | None = Field(default=None, exclude_if=operator.not_)
    events: int = Field(default=EVENTS, ge=1)


class TurnInput(BaseModel):
    """One input to a thread: a text, or the JSON that the agent's graph takes.

    The same `id` twice is one turn. `policy` goes before the thread's own. With `wait` the update that brings this
    returns when the turn is over. Where `agent`, `tenant` or `user` is given, a thread of another one refuses the turn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Any
    id: str | None = Field(default=None, min_length=1, max_length=100)
    policy: Policy | None = None
    wait: bool = False
    agent: str | None = None
    tenant: Party | None = None
    user: Party | None = None


class RewindInput(BaseModel):
    """Where a thread goes back to: before a turn, which is undone with those after it, or to a checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    turn: str | None = None
    checkpoint: str | None = None

    @model_validator(mode="after")
    def _is_one(self) -> RewindInput:
        if (self.turn is None) == (self.checkpoint is None):
            raise ValueError("name a turn or a checkpoint")
        return self


class TurnError(BaseModel):
    """`type` is the name of an error's class: docs/failures.md lists them."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str


class Turn(BaseModel):
    """`output` is what a run's result has. `into` names the turn that took this one up, by policy "steer".

    `note` says what somebody should know of a turn that was stopped: effects that were not undone. `before` is the
    checkpoint of the state before it; the first turn of a thread has none.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    number: int
    status: Status = "queued"
    output: Any = Field(default=None, exclude_if=lambda value: value is None)
    citations: list[Citation] = Field(default=[], exclude_if=operator.not_)
    error: TurnError | None = Field(default=None, exclude_if=lambda value: value is None)
    note: str | None = Field(default=None, exclude_if=lambda value: value is None)
    into: str | None = Field(default=None, exclude_if=lambda value: value is None)
    before: str | None = Field(default=None, exclude_if=lambda value: value is None)
    usage: Usage = Usage()

    @property
    def is_over(self) -> bool:
        return self.status in OVER


class Turns(BaseModel):
    """The answer to the query `turns`: those that are kept, the newest last, and how many are not."""

    model_config = ConfigDict(frozen=True)

    turns: list[Turn] = []
    no_longer_kept: int = 0


class ThreadResult(BaseModel):
    """How a thread ended: after so many turns, at this cost."""

    model_config = ConfigDict(frozen=True)

    agent: str
    turns: int
    usage: Usage = Usage()


class ArchivedPage(BaseModel):
    """Where so many `messages` are kept that a summary stands for, from `checkpoint` on. `claim` is what the archive
    gave out for them, and `until` the message with which the conversation ended then.
    """

    model_config = ConfigDict(frozen=True)

    claim: dict[str, str]
    messages: int
    until: str | None = None
    checkpoint: str


class Conversation(BaseModel):
    """The answer to the query `messages`: those that the graph has, and where those are for which `summary`, the id of
    one of them, stands.
    """

    model_config = ConfigDict(frozen=True)

    messages: list[Message] = []
    summary: str | None = None
    pages: list[ArchivedPage] = []


class QueuedTurn(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    input: Any
    policy: Policy


class RunningTurn(BaseModel):
    """The turn at work. `joined` are those that it took up; `before` is the state before it, encoded; `effects` counts
    the calls by tool that may have taken effect and can't be undone.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    usage: Usage
    joined: list[QueuedTurn] = []
    before: list[Any] | None = None
    effects: dict[str, int] = {}


class ThreadState(BaseModel):
    """What one execution of a thread hands to the next, beside its agent's state."""

    model_config = ConfigDict(frozen=True)

    thread: ThreadInput
    number: int
    turns: list[Turn]
    gone: list[str]
    queue: list[QueuedTurn]
    running: RunningTurn | None = None
    closing: bool = False
    pages: list[ArchivedPage] = Field(default=[], exclude_if=operator.not_)
