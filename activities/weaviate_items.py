"""The collection in which Weaviate keeps the store's items. Runs in activities, and live.

A value is kept as text and read back whole. Beside it stand what a search reads, and the plain fields as words, so
that Weaviate finds the candidates and a filter's finer points are left to `activities.items.matches`.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter, HybridFusion, MetadataQuery, Sort
from weaviate.exceptions import UnexpectedStatusCodeError

from activities.items import StoredItem, label, namespace_of
from activities.weaviate import ALPHA, ALPHA_LEXICAL, INSERT_BATCH
from agents.errors import CollectionMismatch, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from uuid import UUID

    from weaviate import WeaviateAsyncClient

    from activities.embedding import Embedder
    from activities.items import Namespace
    from activities.weaviate import Weaviate

COLLECTION = "PerdureStore"
PAGE = 200


class _Identity(BaseModel):
    """What the collection was made with: its description. Another form than a collection of documents has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = "langgraph"
    embedder: str
    dimensions: int


class WeaviateItems:
    """All items of all agents, in one collection that is made on first use."""

    def __init__(
        self, weaviate: Weaviate, embedder: Embedder, *, collection: str = COLLECTION, page: int = PAGE
    ) -> None:
        self._weaviate = weaviate
        self._embedder = embedder
        self._name = collection
        self._page = page
        self._preparing = asyncio.Lock()
        self._ready = False

    async def find(self, ids: Sequence[UUID]) -> dict[UUID, StoredItem]:
        await self._prepare()
        where = Filter.by_id().contains_any(list(ids))
        async with self._weaviate.calling() as client:
            found = await client.collections.use(self._name).query.fetch_objects(filters=where, limit=len(ids))
        return {object_.uuid: _item(object_.properties) for object_ in found.objects}

    async def write(self, items: Mapping[UUID, StoredItem]) -> None:
        """Raises ServiceUnavailable where one of them was not written."""
        await self._prepare()
        searched = [id_ for id_, item in items.items() if item.indexed]
        vectors = dict(zip(searched, await self._embedder.embed([items[id_].text for id_ in searched]), strict=True))
        objects = [
            DataObject(properties=asdict(item), uuid=id_, vector=vectors.get(id_)) for id_, item in items.items()
        ]
        for start in range(0, len(objects), INSERT_BATCH):
            async with self._weaviate.calling() as client:
                written = await client.collections.use(self._name).data.insert_many(
                    objects[start : start + INSERT_BATCH]
                )
            if written.errors:
                said = next(iter(written.errors.values())).message
                raise ServiceUnavailable(f"Weaviate refused {len(written.errors)} items of the store: {said[:300]}")

    async def delete(self, ids: Sequence[UUID]) -> None:
        await self._prepare()
        async with self._weaviate.calling() as client:
            await client.collections.use(self._name).data.delete_many(where=Filter.by_id().contains_any(list(ids)))

    async def scan(
        self, prefix: Namespace, facts: Iterable[str] = (), *, indexed: bool | None = None
    ) -> AsyncIterator[StoredItem]:
        """Items under `prefix` in the order in which they were made."""
        await self._prepare()
        seen: set[UUID] = set()
        since = 0
        while True:
            where = _all([*_conditions(prefix, facts, indexed), Filter.by_property("created").greater_or_equal(since)])
            async with self._weaviate.calling() as client:
                found = await client.collections.use(self._name).query.fetch_objects(
                    filters=where, limit=self._page + len(seen), sort=Sort.by_property("created").by_property("key")
                )
            fresh = {each.uuid: _item(each.properties) for each in found.objects if each.uuid not in seen}
            for item in fresh.values():
                yield item
            if len(found.objects) < self._page + len(seen):
                return
            # a page begins with the moment at which the one before ended: several items may share it
            before, since = since, max(item.created for item in fresh.values())
            last = {id_ for id_, item in fresh.items() if item.created == since}
            seen = last | seen if since == before else last

    async def ranked(
        self, query: str, limit: int, prefix: Namespace, facts: Iterable[str]
    ) -> list[tuple[StoredItem, float]]:
        """The best `limit` items for `query`, by words and vectors at once."""
        await self._prepare()
        [vector] = await self._embedder.embed([query])
        async with self._weaviate.calling() as client:
            found = await client.collections.use(self._name).query.hybrid(
                query,
                vector=list(vector),
                alpha=ALPHA_LEXICAL if self._embedder.lexical else ALPHA,
                fusion_type=HybridFusion.RELATIVE_SCORE,
                query_properties=["text"],
                filters=_all(_conditions(prefix, facts, indexed=True)),
                limit=limit,
                return_metadata=MetadataQuery(score=True),
            )
        return [(_item(each.properties), each.metadata.score or 0.0) for each in found.objects]

    async def namespaces(self, prefix: Namespace) -> list[Namespace]:
        """Those under `prefix` that hold an item."""
        await self._prepare()
        found = await self._weaviate.counts(self._name, "namespace", _all(_conditions(prefix, (), None)))
        return [namespace_of(each) for each in found]

    async def _prepare(self) -> None:
        async with self._preparing:
            if not self._ready:
                wanted = _Identity(embedder=self._embedder.id, dimensions=await self._embedder.dimensions())
                async with self._weaviate.calling() as client:
                    if not await client.collections.exists(self._name):
                        await _create(client, self._name, wanted)
                    config = await client.collections.use(self._name).config.get()
                self._require(wanted, config.description)
                self._ready = True

    def _require(self, wanted: _Identity, description: str | None) -> None:
        try:
            found = _Identity.model_validate_json(description or "")
        except ValidationError:
            raise CollectionMismatch(
                f"Weaviate has a collection {self._name!r} that is not Perdure's store. "
                "Rename it, or use another Weaviate."
            ) from None
        if found != wanted:
            raise CollectionMismatch(
                f"The store was made with embedding model {found.embedder!r} ({found.dimensions} dimensions), and "
                f"{wanted.embedder!r} ({wanted.dimensions}) is configured. Set PERDURE_EMBEDDING back."
            )


async def _create(client: WeaviateAsyncClient, name: str, identity: _Identity) -> None:
    try:
        await client.collections.create(
            name,
            description=identity.model_dump_json(),
            properties=[
                *(_exact(each, DataType.TEXT) for each in ("namespace", "key")),
                *(_exact(each, DataType.TEXT_ARRAY) for each in ("prefixes", "facts")),
                Property(name="data", data_type=DataType.TEXT, index_filterable=False, index_searchable=False),
                Property(name="text", data_type=DataType.TEXT, tokenization=Tokenization.WORD, index_filterable=False),
                Property(name="indexed", data_type=DataType.BOOL),
                Property(name="created", data_type=DataType.INT, index_range_filters=True),
                Property(name="updated", data_type=DataType.INT, index_filterable=False),
            ],
            vector_config=Configure.Vectors.self_provided(
                vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
            ),
        )
    except UnexpectedStatusCodeError:
        # Another worker may have made it meanwhile.
        if not await client.collections.exists(name):
            raise


def _exact(name: str, type_: DataType) -> Property:
    return Property(name=name, data_type=type_, tokenization=Tokenization.FIELD, index_searchable=False)


def _conditions(prefix: Namespace, facts: Iterable[str], indexed: bool | None) -> list[Any]:  # noqa: FBT001 -- a value
    conditions = [Filter.by_property("facts").contains_any([fact]) for fact in facts]
    if prefix:
        conditions.append(Filter.by_property("prefixes").contains_any([label(prefix)]))
    if indexed is not None:
        conditions.append(Filter.by_property("indexed").equal(indexed))
    return conditions


def _all(conditions: Sequence[Any]) -> Any:
    return Filter.all_of(list(conditions)) if conditions else None


def _item(properties: Mapping[str, Any]) -> StoredItem:
    """Weaviate leaves empty lists and texts out."""
    given = {name: value for name, value in properties.items() if value is not None}
    empty: dict[str, Any] = {"prefixes": [], "facts": [], "key": "", "text": ""}
    return StoredItem(**(empty | given))
