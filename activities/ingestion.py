"""The activities of an ingestion: prepare, list, ingest a batch, remove what is gone.

Ids and counts cross, never texts or vectors. Each activity may run twice: what is written has deterministic ids.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field
from temporalio import activity

from activities import chunking, parsing, sources
from activities.collection import CollectionIdentity, StoredChunk, identify, require_same
from activities.sources import Source
from agents.errors import InvalidInput, UnreadableDocument

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from activities.chunking import Chunk
    from activities.embedding import Embedder
    from activities.parsing import ParsedDocument
    from activities.weaviate import Weaviate

PREPARE_COLLECTION = "prepare_collection"
LIST_DOCUMENTS = "list_documents"
INGEST_DOCUMENTS = "ingest_documents"
REMOVE_MISSING = "remove_missing"

# Names of this many documents stay far below the size that Temporal allows an activity's result.
MOST_DOCUMENTS = 10_000
CHUNK_IDS = UUID("6f2b2f43-5d38-4d0b-9a7e-7a1d6b1f0c11")


class Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class PrepareRequest(Message):
    collection: str


class ListRequest(Message):
    source: Source


class DocumentList(Message):
    documents: list[str]


class IngestRequest(Message):
    """One batch: `documents` are names that `list_documents` gave."""

    collection: str
    source: Source
    documents: list[str]


class Outcome(Message):
    """What became of one document. `reason` says why it was quarantined."""

    document: str
    status: Literal["ingested", "unchanged", "quarantined"]
    chunks: int = 0
    reason: str = ""


class IngestResponse(Message):
    outcomes: list[Outcome] = Field(default_factory=list)


class RemoveRequest(Message):
    collection: str
    source: Source


class RemoveResponse(Message):
    """The names of the documents removed, and how many chunks the collection holds now."""

    removed: list[str]
    stored: int


class Ingestion:
    """The activities, with what they need: an open Weaviate, and the embedder for its collections."""

    def __init__(self, weaviate: Weaviate, embedder: Embedder) -> None:
        self._weaviate = weaviate
        self._embedder = embedder

    @activity.defn(name=PREPARE_COLLECTION)
    async def prepare_collection(self, request: PrepareRequest) -> CollectionIdentity:
        """Makes the collection unless it is there. Raises CollectionMismatch where another embedder made it."""
        identity = await identify(request.collection, self._embedder)
        await self._weaviate.prepare(identity)
        return identity

    @activity.defn(name=LIST_DOCUMENTS)
    async def list_documents(self, request: ListRequest) -> DocumentList:
        """Raises InvalidInput where there is nothing to ingest, or too much at once."""
        names = await asyncio.to_thread(sources.list_names, request.source)
        if not names:
            raise InvalidInput(f"There are no documents in {request.source!r}. Check `path` and `patterns`.")
        if len(names) > MOST_DOCUMENTS:
            raise InvalidInput(
                f"There are {len(names)} documents in {request.source!r}, and one ingestion takes {MOST_DOCUMENTS}. "
                "Ingest its subfolders one by one."
            )
        return DocumentList(documents=names)

    @activity.defn(name=INGEST_DOCUMENTS)
    async def ingest_documents(self, request: IngestRequest) -> IngestResponse:
        identity = await identify(request.collection, self._embedder)
        require_same(identity, await self._weaviate.identity(request.collection))
        outcomes: list[Outcome] = []
        for document in request.documents:
            outcomes.append(await self._ingest(request, document))
            activity.heartbeat(f"{len(outcomes)} of {len(request.documents)}: {document}")
        return IngestResponse(outcomes=outcomes)

    @activity.defn(name=REMOVE_MISSING)
    async def remove_missing(self, request: RemoveRequest) -> RemoveResponse:
        """Removes the documents that the source no longer has: uninstalled, upgraded, or deleted."""
        collection, origin = request.collection, sources.origin(request.source)
        stored = await self._weaviate.documents(collection, origin)
        gone = await asyncio.to_thread(
            lambda: [document for document in stored if not sources.holds(request.source, document)]
        )
        for document in gone:
            await self._weaviate.delete_document(collection, origin, document)
            activity.heartbeat(document)
        return RemoveResponse(removed=gone, stored=await self._weaviate.count(collection))

    async def _ingest(self, request: IngestRequest, document: str) -> Outcome:
        try:
            parsed, place = await asyncio.to_thread(sources.read, request.source, document)
        except UnreadableDocument as error:
            return Outcome(document=document, status="quarantined", reason=str(error))
        chunks = await asyncio.to_thread(chunking.chunk, parsed)
        if not chunks:
            return Outcome(document=document, status="quarantined", reason="There is no text in it.")
        origin, mark = sources.origin(request.source), _fingerprint(parsed, self._embedder.id)
        stored = await self._weaviate.fingerprints(request.collection, origin, document)
        if stored == {mark: len(chunks)}:
            return Outcome(document=document, status="unchanged", chunks=len(chunks))
        rows = list(_rows(parsed, chunks, document=document, origin=origin, source=place, fingerprint=mark))
        vectors = await self._embedder.embed([_spoken(row) for row in rows])
        ids = _ids(request.collection, rows)
        await self._weaviate.upsert(request.collection, list(zip(ids, rows, vectors, strict=True)))
        await self._weaviate.delete_stale(request.collection, origin, document, mark)
        return Outcome(document=document, status="ingested", chunks=len(chunks))


def _fingerprint(parsed: ParsedDocument, embedder: str) -> str:
    """Changes with the text, and with whatever turns it into chunks and vectors."""
    content = sha256(f"{parsed.title}\n{parsed.text}".encode()).hexdigest()
    return "|".join((content[:32], parsing.VERSION, chunking.VERSION, embedder))


def _rows(
    parsed: ParsedDocument,
    chunks: Sequence[Chunk],
    *,
    document: str,
    origin: str,
    source: str,
    fingerprint: str,
) -> Iterator[StoredChunk]:
    for position, chunk in enumerate(chunks):
        yield StoredChunk(
            document=document,
            title=parsed.title,
            origin=origin,
            source=source,
            section=chunk.section,
            position=position,
            start=chunk.start,
            end=chunk.end,
            text=chunk.text,
            content_hash=sha256(chunk.text.encode()).hexdigest(),
            fingerprint=fingerprint,
        )


def _ids(collection: str, rows: Sequence[StoredChunk]) -> Iterator[str]:
    """The same for the same text of a document; a text that it has twice is told apart by its number."""
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row.content_hash] += 1
        name = "|".join((collection, row.origin, row.document, row.content_hash, str(seen[row.content_hash])))
        yield str(uuid5(CHUNK_IDS, name))


def _spoken(row: StoredChunk) -> str:
    """What is embedded: a piece of text says more beneath its headings."""
    return f"{row.title}\n{row.section}\n{row.text}"
