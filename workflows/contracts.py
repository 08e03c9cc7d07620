"""All that passes between clients and workflows. Plain JSON, so that any Temporal client can take part."""

from __future__ import annotations

import operator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from activities.sources import Source
from agents.citation import Citation

AGENT_WORKFLOW = "AgentWorkflow"
INGEST_WORKFLOW = "IngestWorkflow"


class AgentInput(BaseModel):
    """What starts a run. `input` is a question, or the JSON that the agent's graph takes as its input.

    `context` is the JSON that the graph's `context_schema` is made of, for `runtime.context`. `model` takes the
    place of all models that the agent asks for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str = Field(min_length=1)
    input: Any
    recursion_limit: int | None = Field(default=None, ge=1, le=10_000)
    context: dict[str, Any] | None = Field(default=None, exclude_if=operator.not_)
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


class Question(BaseModel):
    """An interrupt that waits for its answer: the update `answer` takes its `id` and the answer."""

    model_config = ConfigDict(frozen=True)

    id: str
    value: Any


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
