"""The cache of a run: what nodes with a cache policy have returned. Runs in workflows.

A cache that outlived the run would answer a replay otherwise than it answered the first time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.cache.base import BaseCache
from temporalio import workflow

from workflows.copies import copied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langgraph.cache.base import FullKey, Namespace


class RunCache(BaseCache[Any]):
    """Time to live is counted in seconds of the workflow's clock."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[FullKey, tuple[Any, float | None]] = {}

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        now = workflow.time()
        found = ((key, self._kept[key]) for key in keys if key in self._kept)
        return {key: copied(value) for key, (value, expiry) in found if expiry is None or now < expiry}

    def set(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        now = workflow.time()
        for key, (value, ttl) in pairs.items():
            self._kept[key] = copied(value), None if ttl is None else now + ttl

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        self._kept = {
            key: kept for key, kept in self._kept.items() if namespaces is not None and key[0] not in namespaces
        }

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        return self.get(keys)

    async def aset(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        self.set(pairs)

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        self.clear(namespaces)
