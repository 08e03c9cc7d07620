"""LangGraph's store, kept in Weaviate. Runs in activities, and live.

All runs of all agents share a collection, and a `root` keeps those apart who must not meet. Plain LangGraph's
`InMemoryStore` says what each operation must give; here an item that is written again keeps the time at which it was
made.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, assert_never

from langgraph.store.base import BaseStore, GetOp, Item, ListNamespacesOp, PutOp, SearchItem, SearchOp

from activities.items import (
    MOST_RANKED,
    StoredItem,
    facts,
    item_id,
    label,
    last_of_each,
    listed,
    matches,
    namespace_of,
    prefixes,
    required_facts,
    searched_text,
)
from activities.store import checked, shown
from activities.wire import decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from uuid import UUID

    from langgraph.store.base import Op, Result

    from activities.items import Namespace
    from activities.weaviate_items import WeaviateItems
    from activities.wire import Types


class WeaviateStore(BaseStore):
    """The store of agents that have these types. Made where the event loop runs on which `items` were opened.

    `root` is put before all namespaces and taken off again: whoever is given the store sees nothing outside it.
    """

    def __init__(self, items: WeaviateItems, types: Types, root: Namespace = ()) -> None:
        self._items = items
        self._types = types
        self._root = root
        self._loop = asyncio.get_running_loop()

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """For synchronous tools: their bodies run in threads of their own."""
        if asyncio._get_running_loop() is self._loop:  # noqa: SLF001 -- the documented way to ask without raising
            raise NotImplementedError("Here the store is asynchronous: use `await store.aput()` and the like.")
        return asyncio.run_coroutine_threadsafe(self.abatch(ops), self._loop).result()

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """All reads see what was there before the batch; of several puts of one item, the last counts.

        Asynchronous tools have a loop of their own, and the client of the database belongs to this one.
        """
        if asyncio.get_running_loop() is not self._loop:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.abatch(ops), self._loop))
        ops = checked(ops)
        named = [self._id(op) for op in ops if isinstance(op, (GetOp, PutOp))]
        stored = await self._items.find(named) if named else {}
        results = [await self._read(op, stored) for op in ops]
        await self._write(last_of_each(op for op in ops if isinstance(op, PutOp)), stored)
        return results

    async def _read(self, op: Op, stored: Mapping[UUID, StoredItem]) -> Result:
        match op:
            case GetOp():
                item = stored.get(self._id(op))
                return Item(**self._fields(item)) if item else None
            case SearchOp(query=str() as query) if query.strip():
                return await self._ranked(op, query)
            case SearchOp():
                return [SearchItem(**self._fields(item)) for item in await self._first(op, op.offset, op.limit)]
            case ListNamespacesOp():
                inside = [each[len(self._root) :] for each in await self._items.namespaces(self._root)]
                return listed(inside, op.match_conditions or (), op.max_depth)[op.offset : op.offset + op.limit]
            case PutOp():
                return None
            case _:
                assert_never(op)

    async def _write(self, puts: Sequence[PutOp], stored: Mapping[UUID, StoredItem]) -> None:
        now = time.time_ns() // 1_000
        written = {
            self._id(put): self._item(put, now + place, stored)
            for place, put in enumerate(puts)
            if put.value is not None
        }
        if written:
            await self._items.write(written)
        if deleted := [self._id(put) for put in puts if put.value is None]:
            await self._items.delete(deleted)

    async def _first(self, op: SearchOp, offset: int, limit: int, **only: bool) -> list[StoredItem]:
        """Those that match, in the order in which they were made."""
        found: list[StoredItem] = []
        if limit > 0:
            async for item in self._matching(op, **only):
                found.append(item)
                if len(found) == offset + limit:
                    break
        return found[offset:]

    async def _matching(self, op: SearchOp, **only: bool) -> AsyncIterator[StoredItem]:
        async for item in self._items.scan(self._root + op.namespace_prefix, required_facts(op.filter), **only):
            if matches(self._value(item), op.filter):
                yield item

    async def _ranked(self, op: SearchOp, query: str) -> list[SearchItem]:
        """The best first, then those that were stored with `index=False`."""
        wanted = op.offset + op.limit
        ranked = (await self._best(op, query, wanted))[op.offset : wanted] if wanted > 0 else []
        unranked = await self._first(op, 0, op.limit - len(ranked), indexed=False)
        return [SearchItem(**self._fields(item), score=score) for item, score in ranked] + [
            SearchItem(**self._fields(item)) for item in unranked
        ]

    async def _best(self, op: SearchOp, query: str, wanted: int) -> list[tuple[StoredItem, float]]:
        """Asks for more as long as the filter leaves too few."""
        prefix, required = self._root + op.namespace_prefix, list(required_facts(op.filter))
        limit = wanted
        while True:
            limit = min(limit, MOST_RANKED)
            found = await self._items.ranked(query, limit, prefix, required)
            kept = [(item, score) for item, score in found if matches(self._value(item), op.filter)]
            if len(kept) >= wanted or len(found) < limit or limit == MOST_RANKED:
                return kept
            limit *= 4

    def _id(self, op: GetOp | PutOp) -> UUID:
        return item_id(self._root + op.namespace, op.key)

    def _value(self, item: StoredItem) -> dict[str, Any]:
        value: dict[str, Any] = decode(json.loads(item.data), self._types)
        return value

    def _fields(self, item: StoredItem) -> dict[str, Any]:
        return {
            "namespace": namespace_of(item.namespace)[len(self._root) :],
            "key": item.key,
            "value": self._value(item),
            "created_at": datetime.fromtimestamp(item.created / 1e6, UTC),
            "updated_at": datetime.fromtimestamp(item.updated / 1e6, UTC),
        }

    def _item(self, put: PutOp, moment: int, stored: Mapping[UUID, StoredItem]) -> StoredItem:
        namespace, value = self._root + put.namespace, dict(put.value or {})
        text = "" if put.index is False else searched_text(value, put.index)
        before = stored.get(self._id(put))
        return StoredItem(
            namespace=label(namespace),
            prefixes=prefixes(namespace),
            key=put.key,
            data=json.dumps(encode(value, path=shown(put.namespace, put.key))),
            text=text,
            facts=facts(value),
            indexed=bool(text),
            created=before.created if before else moment,
            updated=moment,
        )
