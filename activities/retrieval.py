"""The activity `retrieve`: hybrid search over a collection. Runs in activities; its two messages also in workflows."""

from __future__ import annotations

from langchain_core.documents import Document  # noqa: TC002  pydantic reads the annotation
from pydantic import BaseModel, ConfigDict, Field

RETRIEVE = "retrieve"


class RetrievalRequest(BaseModel):
    """A question to one collection, for at most `limit` passages."""

    model_config = ConfigDict(frozen=True)

    collection: str = Field(min_length=1)
    query: str
    limit: int = Field(default=6, ge=1, le=100)


class RetrievalResponse(BaseModel):
    """The passages found, the best first.

    A document's `id` is its chunk's uuid and `page_content` the chunk's exact text. Its metadata are `document`
    ("temporalio 1.35.0"), `source` (a path or an address), `section` ("Usage › Workers"), `start` and `end`
    (character offsets in the document's text) and `score`.
    """

    model_config = ConfigDict(frozen=True)

    documents: list[Document]
