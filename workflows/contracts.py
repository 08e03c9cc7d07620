"""All that passes between clients and workflows. Plain JSON, so that any Temporal client can take part."""

from __future__ import annotations

import operator
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from temporalio.common import SearchAttributeKey

from activities.sources import Source
from agents.citation import Citation

AGENT_WORKFLOW = "AgentWorkflow"
INGEST_WORKFLOW = "IngestWorkflow"

QUESTIONS = SearchAttributeKey.for_keyword_list("PerdureQuestions")
"""The search attribute of a run that waits for people: the ids of its questions, and `for:NAME` for who may decide."""

DECIDER = "for:"

Party = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:|+-]{0,127}$")]
"""The name of a tenant or of a user."""


class AgentInput(BaseModel):
    """What starts a run. `input` is a question, or the JSON that the agent's graph takes as its input.

    `context` is the JSON that the graph's `context_schema` is made of, for `runtime.context`. `tenant` and `user` say
    for whom the run is, and so which part of the store it sees. `model` takes the place of all models that the agent
    asks for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str = Field(min_length=1)
    input: Any
    recursion_limit: int | None = Field(default=None, ge=1, le=10_000)
    context: dict[str, Any] | None = Field(default=None, exclude_if=operator.not_)
    tenant: Party | None = Field(default=None, exclude_if=operator.not_)
    user: Party | None = Field(default=None, exclude_if=operator.not_)
    model: str | None = Field(default=None, exclude_if=operator.not_)


class Usage(BaseModel):
    """What a run cost: calls that were made, tokens as the providers counted them."""

    model_config = ConfigDict(frozen=True)

    model_calls: int = 0
    tool_calls: int = 0
    retrievals: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields})


class AgentResult(BaseModel):
    """How a run ended. `output` is the answer's text, the structured response, or the graph's final state."""

    model_config = ConfigDict(frozen=True)

    agent: str
    output: Any
    citations: list[Citation] = []
    usage: Usage = Usage()


QuestionKind = Literal["interrupt", "approval", "unknown_outcome"]


class Question(BaseModel):
    """What a run waits for a person to answer: the update `answer` takes its `id` and the answer.

    `node` is the graph's node that asked, `tool` the tool whose call did. `deciders` are the names and groups who may
    answer, anybody where there are none; from `escalates_at` on those of `escalate_to` may, too. At `expires_at`,
    `on_expiry` is decided without anybody. `answer_schema` is the JSON schema that the answer must fit.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    value: Any
    kind: QuestionKind = "interrupt"
    agent: str = ""
    node: str | None = None
    tool: str | None = None
    asked_at: datetime
    deciders: list[str] = []
    escalates_at: datetime | None = None
    escalate_to: list[str] = []
    expires_at: datetime | None = None
    on_expiry: Literal["approve", "reject"] | None = None
    answer_schema: dict[str, Any] | None = None


class Decision(BaseModel):
    """The answer to a question: who gave it, first a name, then groups, and when.

    `how` says whether a person did, or the question expired, or an earlier approval was given for similar calls, too.
    `digest` is that of the arguments that were approved. A long answer is cut.
    """

    model_config = ConfigDict(frozen=True)

    question: str
    kind: QuestionKind
    node: str | None = None
    tool: str | None = None
    answer: Any
    by: list[str] = []
    at: datetime
    how: Literal["person", "expiry", "similar"] = "person"
    digest: str | None = None

    @property
    def told(self) -> str:
        """What whoever comes second is told."""
        who = ", ".join(map(repr, self.by)) or ("its expiry" if self.how == "expiry" else "somebody")
        return f"Question {self.question!r} was answered by {who} at {self.at:%Y-%m-%d %H:%M:%S} UTC already."


class IngestInput(BaseModel):
    """What starts an ingestion: the collection to fill, and where its documents are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    collection: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")
    source: Source


class QuarantinedDocument(BaseModel):
    """A document that was left out, and why. What an earlier ingestion stored of it stays."""

    model_config = ConfigDict(frozen=True)

    document: str
    reason: str


class IngestProgress(BaseModel):
    """How far an ingestion is: the answer to its query `progress`."""

    model_config = ConfigDict(frozen=True)

    listed: int = 0
    done: int = 0
    chunks: int = 0
    quarantined: int = 0


class IngestResult(BaseModel):
    """How an ingestion ended.

    Of the `documents` listed, `unchanged` were stored already. `chunks` is the number written now, `stored` the
    number that the collection holds; `removed` counts the documents that their source no longer has.
    """

    model_config = ConfigDict(frozen=True)

    collection: str
    embedder: str
    documents: int
    chunks: int
    stored: int
    unchanged: int
    removed: int
    quarantined: list[QuarantinedDocument] = []


def explain(error: ValidationError) -> str:
    """What is wrong with each field, in one line: `agent: Field required; inptu: Extra inputs are not permitted`."""
    return "; ".join(
        ": ".join(filter(None, [".".join(map(str, fault["loc"])), fault["msg"]])) for fault in error.errors()
    )
