"""The activity `retrieve`: hybrid search over a collection. Runs in activities; its two messages also in workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import BaseModel, ConfigDict, Field
from temporalio import activity

from activities.collection import identify, require_same

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun

    from activities.embedding import Embedder
    from activities.weaviate import Weaviate

RETRIEVE = "retrieve"
# Longer passages than this many chunks are no help to who must read them.
MOST_JOINED = 3


class RetrievalRequest(BaseModel):
    """A question to one collection, for at most `limit` passages."""

    model_config = ConfigDict(frozen=True)

    collection: str = Field(min_length=1)
    query: str
    limit: int = Field(default=6, ge=1, le=100)


class RetrievalResponse(BaseModel):
    """The passages found, the best first.

    A document's `id` is its chunk's uuid and `page_content` the chunk's exact text. Its metadata are `document`
    ("temporalio 1.35.0"), `source` (a path or an address), `section` (a path of headings), `start` and `end`
    (character offsets in the document's text) and `score`.
    """

    model_config = ConfigDict(frozen=True)

    documents: list[Document]


class Retrieval:
    """The activity, with what it needs: an open Weaviate, and the embedder that its collections were made with."""

    def __init__(self, weaviate: Weaviate, embedder: Embedder) -> None:
        self._weaviate = weaviate
        self._embedder = embedder

    @activity.defn(name=RETRIEVE)
    async def retrieve(self, request: RetrievalRequest) -> RetrievalResponse:
        """Raises UnknownCollection, and CollectionMismatch where another embedder made the collection."""
        identity = await self._weaviate.identity(request.collection)
        require_same(await identify(request.collection, self._embedder), identity)
        if not request.query.strip():
            return RetrievalResponse(documents=[])
        [vector] = await self._embedder.embed([request.query])
        # Twice as many, since some are copies of others and some will join: `limit` is about passages.
        found = await self._weaviate.search(identity, request.query, vector, 2 * request.limit)
        return RetrievalResponse(documents=merge(without_copies(found))[: request.limit])


class WeaviateRetriever(BaseRetriever):
    """The same search live, outside Temporal: for notebooks, LangGraph Studio and tests. Async only."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retrieval: Retrieval
    collection: str
    limit: int = 6

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002  the signature is LangChain's
    ) -> list[Document]:
        request = RetrievalRequest(collection=self.collection, query=query, limit=self.limit)
        return (await self.retrieval.retrieve(request)).documents

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
    ) -> list[Document]:
        raise NotImplementedError(f"Collection {self.collection!r} is searched with `ainvoke`, not `invoke`.")


def without_copies(documents: Iterable[Document]) -> list[Document]:
    """The first of each text."""
    kept: dict[str, Document] = {}
    for document in documents:
        kept.setdefault(document.page_content, document)
    return list(kept.values())


def merge(documents: Sequence[Document]) -> list[Document]:
    """Joins chunks that follow each other in one section; the joint passage takes the better one's place and id."""
    joined: list[list[Document]] = []
    for document in sorted(documents, key=_place):
        if joined and _continues(joined[-1], document):
            joined[-1].append(document)
        else:
            joined.append([document])
    passages = [_joint(group) if len(group) > 1 else group[0] for group in joined]
    return sorted(passages, key=lambda passage: -passage.metadata["score"])


def _place(document: Document) -> tuple[str, int]:
    return document.metadata["source"], document.metadata["start"]


def _continues(group: Sequence[Document], document: Document) -> bool:
    before, after = group[-1].metadata, document.metadata
    same = all(before[name] == after[name] for name in ("source", "document", "section"))
    return same and before["end"] == after["start"] and len(group) < MOST_JOINED


def _joint(group: Sequence[Document]) -> Document:
    best = max(group, key=lambda document: document.metadata["score"])
    span = {"start": group[0].metadata["start"], "end": group[-1].metadata["end"]}
    text = "".join(document.page_content for document in group)
    return Document(id=best.id, page_content=text, metadata=best.metadata | span)
