"""The transport for fleets: Redis or Valkey Streams, one stream for each run. Needs the extra `perdure[redis]`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
import structlog

from activities.masking import mask_credentials
from activities.publishing import publishing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractContextManager

    from activities.events import EventSink
    from activities.publishing import Cursor, Told

LONGEST = 20_000
"""Events of one run; its oldest go."""

TIMEOUT = 5.0
AGAIN_SECONDS = 1.0
MOST_AT_ONCE = 500
FIELD = "e"

log = structlog.get_logger()


class EventServer:
    """Streams on the server at `url`, under names that begin with `prefix`. A stream lives `keep` seconds after its
    last event.
    """

    def __init__(self, url: str, *, prefix: str, keep: float, longest: int = LONGEST) -> None:
        self._url = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url
        self._prefix = prefix
        self._keep = keep
        self._longest = longest

    def publishing(self) -> AbstractContextManager[EventSink]:
        return publishing(_Outlet(self._url, self._prefix, self._keep, self._longest), pause=0)

    @asynccontextmanager
    async def follow(self, run: str, after: str | None) -> AsyncIterator[Cursor]:
        client = redis.asyncio.Redis.from_url(self._url, decode_responses=True, socket_connect_timeout=TIMEOUT)
        try:
            yield _Cursor(client, self._prefix + run, after or "0-0")
        finally:
            await client.aclose()


class _Outlet:
    failures = (redis.RedisError, OSError)

    def __init__(self, url: str, prefix: str, keep: float, longest: int) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
        self._prefix = prefix
        self._keep = int(keep)
        self._longest = longest

    def write(self, events: Sequence[Told]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for run, data in events:
            pipeline.xadd(self._prefix + run, {FIELD: data}, maxlen=self._longest, approximate=True)
        for run in {run for run, _ in events}:
            pipeline.expire(self._prefix + run, self._keep)
        pipeline.execute()

    def close(self) -> None:
        self._client.close()


class _Cursor:
    def __init__(self, client: redis.asyncio.Redis, key: str, after: str) -> None:
        self._client = client
        self._key = key
        self._after = after

    async def read(self, wait: float) -> list[tuple[str, str]]:
        """A server that is away tells nothing; the watcher goes on by what the workflow itself answers."""
        try:
            block = max(1, int(wait * 1000))
            found: Any = await self._client.xread({self._key: self._after}, count=MOST_AT_ONCE, block=block)
        except (redis.RedisError, OSError) as error:
            log.warning("stream_unreachable", error=mask_credentials(str(error)))
            await asyncio.sleep(AGAIN_SECONDS)
            return []
        if not found:
            return []
        [entries] = found.values() if isinstance(found, dict) else [stream[1] for stream in found]
        self._after = entries[-1][0]
        return [(place, fields[FIELD]) for place, fields in entries]
