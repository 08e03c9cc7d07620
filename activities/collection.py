"""What a collection holds, and what it was made with. Plain data: imports nothing that talks to a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from agents.errors import CollectionMismatch

if TYPE_CHECKING:
    from activities.embedding import Embedder


class CollectionIdentity(BaseModel):
    """What a collection was made with. Stored with it, and checked before each use."""

    model_config = ConfigDict(frozen=True)

    name: str
    embedder: str
    dimensions: int
    lexical: bool


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """`origin` is the source that the document came from; `source` is where a reader finds it."""

    document: str
    title: str
    origin: str
    source: str
    section: str
    position: int
    start: int
    end: int
    text: str
    content_hash: str
    fingerprint: str


async def identify(name: str, embedder: Embedder) -> CollectionIdentity:
    """What the collection `name` must have been made with for `embedder` to be used on it."""
    return CollectionIdentity(
        name=name,
        embedder=embedder.id,
        dimensions=await embedder.dimensions(),
        lexical=embedder.lexical,
    )


def require_same(wanted: CollectionIdentity, found: CollectionIdentity) -> None:
    """Vectors of two embedders can't be compared: a search would return noise, and nobody would notice."""
    if (wanted.embedder, wanted.dimensions) != (found.embedder, found.dimensions):
        raise CollectionMismatch(
            f"Collection {found.name!r} was made with embedding model {found.embedder!r} ({found.dimensions} "
            f"dimensions), and {wanted.embedder!r} ({wanted.dimensions}) is configured. Set PERDURE_EMBEDDING back, "
            "or ingest into a collection of another name."
        )
