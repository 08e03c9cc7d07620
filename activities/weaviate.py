"""Weaviate: collections of chunks, written with deterministic ids and searched by words and vectors at once.

With `activities/weaviate_items.py` the only file that knows Weaviate. Runs in activities, and live. Each failure of
the server leaves here as one short error of ours: the client's own chain of exceptions is longer than Temporal allows.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_core.documents import Document
from pydantic import SecretStr, ValidationError
from weaviate import WeaviateAsyncClient, use_async_with_custom
from weaviate.classes.aggregate import GroupByAggregate
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.data import DataObject
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.classes.query import Filter, HybridFusion, MetadataQuery
from weaviate.exceptions import (
    AuthenticationFailedError,
    UnexpectedStatusCodeError,
    WeaviateBaseError,
    WeaviateConnectionError,
    WeaviateInvalidInputError,
    WeaviateStartUpError,
)

from activities.collection import CollectionIdentity, StoredChunk, require_same
from agents.errors import CollectionMismatch, ProviderRefused, ServiceUnavailable, UnknownCollection, known

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    from weaviate.collections import CollectionAsync

# The client retries for a minute when gRPC is down. That is Temporal's to do, so each call ends before.
PATIENCE = 20.0
INSERT_BATCH = 200
# Found by measurement on known-item queries: without a model of meaning, keywords carry the search, and a title
# says more than a mention.
ALPHA_LEXICAL, ALPHA = 0.3, 0.5
SEARCHED = ["text", "section", "title^2"]
WORDS = ["text", "section", "title"]
EXACT = ["document", "origin", "source", "content_hash", "fingerprint"]
NUMBERS = ["position", "start", "end"]
MOST_DOCUMENTS = 100_000


@dataclass(frozen=True, slots=True)
class WeaviateConnection:
    """Where a Weaviate is. Opens without calling it: a worker starts, and waits, while the server is away."""

    url: str
    grpc_host: str
    grpc_port: int
    api_key: SecretStr | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Weaviate]:
        store = Weaviate(self)
        try:
            yield store
        finally:
            await store.close()


class Weaviate:
    """The collections of one server, by the names that their users gave them. Made by `WeaviateConnection.open`."""

    def __init__(self, connection: WeaviateConnection) -> None:
        self._connection = connection
        self._opening = asyncio.Lock()
        self._client: WeaviateAsyncClient | None = None

    async def close(self) -> None:
        if self._client:
            await self._client.close()

    async def names(self) -> list[str]:
        async with self._calling() as client:
            found = await client.collections.list_all()
        identities = [_read_identity(config.description) for config in found.values()]
        return sorted(identity.name for identity in identities if identity)

    async def identity(self, name: str) -> CollectionIdentity:
        """Raises UnknownCollection; CollectionMismatch where somebody else made the collection."""
        async with self._calling() as client:
            exists = await client.collections.exists(_class(name))
            config = await client.collections.use(_class(name)).config.get() if exists else None
        if config is None:
            raise UnknownCollection(
                f"Unknown collection {name!r}. {known(await self.names())} Fill it with `perdure ingest`."
            )
        identity = _read_identity(config.description)
        if identity is None:
            raise CollectionMismatch(
                f"Collection {name!r} was not made by Perdure: its description does not say by which embedding "
                "model. Use another name."
            )
        return identity

    async def prepare(self, wanted: CollectionIdentity) -> None:
        """Makes the collection unless it is there. Raises CollectionMismatch where it is of another embedder."""
        async with self._calling() as client:
            if not await client.collections.exists(_class(wanted.name)):
                await _create(client, wanted)
        require_same(wanted, await self.identity(wanted.name))

    async def upsert(self, name: str, chunks: Sequence[tuple[str, StoredChunk, Sequence[float]]]) -> None:
        """Writes chunks under their ids. Raises ServiceUnavailable when one of them was not written."""
        objects = [DataObject(properties=asdict(chunk), uuid=id_, vector=list(v)) for id_, chunk, v in chunks]
        for start in range(0, len(objects), INSERT_BATCH):
            async with self._calling() as client:
                written = await _collection(client, name).data.insert_many(objects[start : start + INSERT_BATCH])
            # The client returns some failures, and raises when all failed.
            if written.errors:
                first = next(iter(written.errors.values())).message
                raise ServiceUnavailable(
                    f"Weaviate refused {len(written.errors)} of {len(objects)} chunks for {name!r}: {first[:300]}"
                )

    async def fingerprints(self, name: str, origin: str, document: str) -> dict[str, int]:
        """How many chunks of the document are stored under each of its fingerprints."""
        return await self.counts(_class(name), "fingerprint", _of(origin) & _is("document", document))

    async def documents(self, name: str, origin: str) -> list[str]:
        return sorted(await self.counts(_class(name), "document", _of(origin)))

    async def delete_stale(self, name: str, origin: str, document: str, fingerprint: str) -> None:
        """Deletes what an earlier version of the document left."""
        former = Filter.by_property("fingerprint").not_equal(fingerprint)
        async with self._calling() as client:
            await _collection(client, name).data.delete_many(where=_of(origin) & _is("document", document) & former)

    async def delete_document(self, name: str, origin: str, document: str) -> None:
        async with self._calling() as client:
            await _collection(client, name).data.delete_many(where=_of(origin) & _is("document", document))

    async def count(self, name: str) -> int:
        async with self._calling() as client:
            found = await _collection(client, name).aggregate.over_all(total_count=True)
        return found.total_count or 0

    async def search(
        self, identity: CollectionIdentity, query: str, vector: Sequence[float], limit: int
    ) -> list[Document]:
        """Hybrid search, the best first."""
        async with self._calling() as client:
            found = await _collection(client, identity.name).query.hybrid(
                query,
                vector=list(vector),
                alpha=ALPHA_LEXICAL if identity.lexical else ALPHA,
                fusion_type=HybridFusion.RELATIVE_SCORE,
                query_properties=SEARCHED,
                limit=limit,
                return_metadata=MetadataQuery(score=True),
            )
        return [_document(object_) for object_ in found.objects]

    async def counts(self, class_: str, property_: str, where: Any) -> dict[str, int]:
        """How many objects have each value of a property."""
        async with self._calling() as client:
            found = await client.collections.use(class_).aggregate.over_all(
                filters=where,
                group_by=GroupByAggregate(prop=property_, limit=MOST_DOCUMENTS),
                total_count=True,
            )
        return {str(group.grouped_by.value): group.total_count or 0 for group in found.groups}

    def calling(self) -> AbstractAsyncContextManager[WeaviateAsyncClient]:
        """For the modules that know a collection of another kind."""
        return self._calling()

    @asynccontextmanager
    async def _calling(self) -> AsyncIterator[WeaviateAsyncClient]:
        """The client, for one call whose errors are translated."""
        try:
            async with asyncio.timeout(PATIENCE):
                yield await self._connected()
        except (WeaviateBaseError, TimeoutError) as error:
            raise _translate(error, self._connection.url) from None

    async def _connected(self) -> WeaviateAsyncClient:
        async with self._opening:
            if self._client is None:
                client = _client(self._connection)
                try:
                    await client.connect()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client


def _client(connection: WeaviateConnection) -> WeaviateAsyncClient:
    address = urlsplit(connection.url)
    secure = address.scheme == "https"
    key = connection.api_key.get_secret_value() if connection.api_key else None
    return use_async_with_custom(
        http_host=address.hostname or "",
        http_port=address.port or (443 if secure else 80),
        http_secure=secure,
        grpc_host=connection.grpc_host,
        grpc_port=connection.grpc_port,
        grpc_secure=secure,
        auth_credentials=Auth.api_key(key) if key else None,
        additional_config=AdditionalConfig(timeout=Timeout(init=5, query=15, insert=60)),
        # Its checks ask PyPI for the newest client.
        skip_init_checks=True,
    )


async def _create(client: WeaviateAsyncClient, wanted: CollectionIdentity) -> None:
    try:
        await client.collections.create(
            _class(wanted.name),
            description=wanted.model_dump_json(),
            properties=list(_properties()),
            vector_config=Configure.Vectors.self_provided(
                vector_index_config=Configure.VectorIndex.hnsw(
                    distance_metric=VectorDistances.COSINE, quantizer=Configure.VectorIndex.Quantizer.rq()
                )
            ),
        )
    except UnexpectedStatusCodeError:
        # Another ingestion may have made it meanwhile.
        if not await client.collections.exists(_class(wanted.name)):
            raise


def _properties() -> Iterable[Property]:
    for name in WORDS:
        yield Property(name=name, data_type=DataType.TEXT, tokenization=Tokenization.WORD, index_filterable=False)
    for name in EXACT:
        yield Property(name=name, data_type=DataType.TEXT, tokenization=Tokenization.FIELD, index_searchable=False)
    for name in NUMBERS:
        yield Property(name=name, data_type=DataType.INT, index_filterable=False)


def _class(name: str) -> str:
    """Weaviate's names begin with a capital letter."""
    return name[:1].upper() + name[1:]


def _collection(client: WeaviateAsyncClient, name: str) -> CollectionAsync[Any, Any]:
    return client.collections.use(_class(name))


def _is(name: str, value: str) -> Any:
    return Filter.by_property(name).equal(value)


def _of(origin: str) -> Any:
    return _is("origin", origin)


def _read_identity(description: str | None) -> CollectionIdentity | None:
    try:
        return CollectionIdentity.model_validate_json(description or "")
    except ValidationError:
        return None


def _document(found: Any) -> Document:
    stored = found.properties
    kept = ("document", "title", "source", "section", "start", "end")
    metadata = {name: stored[name] for name in kept} | {"score": round(found.metadata.score or 0.0, 4)}
    return Document(id=str(found.uuid), page_content=stored["text"], metadata=metadata)


def _translate(error: WeaviateBaseError | TimeoutError, url: str) -> Exception:
    said = " ".join(str(error).split())[:300]
    if isinstance(error, WeaviateInvalidInputError):
        return error
    if isinstance(error, AuthenticationFailedError) or _is_denied(error, said):
        return ProviderRefused(
            f"Weaviate at {url!r} refuses the key. Set PERDURE_WEAVIATE__API_KEY to one that may read and write."
        )
    if isinstance(error, UnexpectedStatusCodeError) and 400 <= error.status_code < 500:  # noqa: PLR2004
        return ProviderRefused(f"Weaviate at {url!r} refuses the request: {said}")
    if isinstance(error, (WeaviateStartUpError, WeaviateConnectionError)):
        return ServiceUnavailable(
            f"No Weaviate answers at {url!r}. Start one with `perdure dev`, or name another with PERDURE_WEAVIATE__URL."
        )
    return ServiceUnavailable(f"Weaviate at {url!r} does not answer as it should ({type(error).__name__}): {said}")


def _is_denied(error: Exception, said: str) -> bool:
    """By HTTP's 401 and 403, and by gRPC's 16 and 7."""
    if isinstance(error, UnexpectedStatusCodeError):
        return error.status_code in (401, 403, 16, 7)
    return "UNAUTHENTICATED" in said or "PERMISSION_DENIED" in said or "unauthorized" in said
