"""Where large payloads are kept: a folder, or a bucket of S3, GCS or Azure, all through `obstore`.

    v1/<namespace>/<workflow id>/<SHA-256 of the content>

A workflow has a folder of its own, so that what it leaves behind can be found and removed without counting
references. An object is never written with another content: its name is its content's digest, checked on reading.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import re
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from activities.masking import mask_credentials
from agents.errors import PayloadMissing, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from obstore.store import ObjectStore

LAYOUT = "v1"
IDENTITY = "storage-id"
NAME = "name"
LONGEST_NAME = 200
"""Characters of a folder's name; file systems take 255."""

FRESH = timedelta(hours=24)
"""No object is removed that was written within this time: its workflow may not have begun."""

_PLAIN = re.compile(rb"[a-z0-9_-]")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Address:
    """An object. Its path is made of the parts, so that no reference, whoever wrote it, leads elsewhere."""

    namespace: str
    workflow: str
    digest: str

    @property
    def folder(self) -> str:
        return f"{LAYOUT}/{_name(self.namespace)}/{_name(self.workflow)}"

    @property
    def path(self) -> str:
        if not _DIGEST.fullmatch(self.digest):
            raise PayloadMissing(f"{self.digest!r} is no digest of a payload.")
        return f"{self.folder}/{self.digest}"


@dataclass(frozen=True, slots=True)
class Listed:
    path: str
    size: int
    written: datetime


class Blobs:
    """`place` is how people know the store: a URL or a folder, never with a credential in it."""

    def __init__(self, open_store: Callable[[], ObjectStore], place: str) -> None:
        self._open_store = open_store
        self.place = place
        self._identity: str | None = None

    @functools.cached_property
    def _store(self) -> ObjectStore:
        """Opened when it is needed: most commands write no payload, and leave no folder behind."""
        return self._open_store()

    async def put(self, namespace: str, workflow: str, content: bytes) -> Address:
        """Written once: where the same content is there, nothing is sent."""
        address = Address(namespace, workflow, await asyncio.to_thread(_digest, content))
        with self._explained():
            if not await self._is_there(address.path, len(content)):
                if _is_hashed(address.folder):
                    await obstore.put_async(self._store, f"{address.folder}/{NAME}", workflow.encode())
                await obstore.put_async(self._store, address.path, content)
        return address

    async def get(self, address: Address) -> bytes:
        """Raises `PayloadMissing` where it is not there or was changed, `ServiceUnavailable` where nobody answers."""
        with self._explained():
            try:
                answer = await obstore.get_async(self._store, address.path)
            except FileNotFoundError:
                raise PayloadMissing(f"{self.place} has no object {address.path!r}.") from None
            content = bytes(await answer.bytes_async())
        if await asyncio.to_thread(_digest, content) != address.digest:
            raise PayloadMissing(f"{address.path!r} in {self.place} is not what was written: its digest differs.")
        return content

    async def identity(self) -> str:
        """A name that the storage keeps, wherever it is mounted, copied or moved to."""
        if self._identity is None:
            with self._explained():
                self._identity = await self._read_identity() or await self._give_identity()
        return self._identity

    async def objects(self, namespace: str) -> AsyncIterator[Listed]:
        """Every object of the namespace, sorted by nothing in particular."""
        with self._explained():
            async for chunk in obstore.list(self._store, f"{LAYOUT}/{_name(namespace)}/"):
                for found in chunk:
                    yield Listed(found["path"], found["size"], found["last_modified"])

    async def workflow_of(self, folder: str) -> str | None:
        """The id of the workflow to which a folder belongs, None where the folder does not say."""
        if not _is_hashed(folder):
            return _text(folder.rsplit("/", 1)[-1])
        with self._explained():
            try:
                answer = await obstore.get_async(self._store, f"{folder}/{NAME}")
            except FileNotFoundError:
                return None
            return bytes(await answer.bytes_async()).decode()

    async def delete(self, path: str, *, unless_written_since: datetime) -> None:
        """Looks once more: a workflow of the same name may have begun, with the same content."""
        with self._explained(), suppress(FileNotFoundError):
            found = await obstore.head_async(self._store, path)
            if found["last_modified"] < unless_written_since:
                await obstore.delete_async(self._store, path)

    async def probe(self) -> None:
        """Writes, reads and removes an object. Raises `ServiceUnavailable` where one of them fails."""
        path, content = f"{LAYOUT}/probe-{uuid.uuid4().hex}", b"perdure doctor was here"
        with self._explained():
            await obstore.put_async(self._store, path, content)
            answer = await obstore.get_async(self._store, path)
            if bytes(await answer.bytes_async()) != content:
                raise ServiceUnavailable(f"{self.place} gives back something else than was written.")
            await obstore.delete_async(self._store, path)

    async def _is_there(self, path: str, size: int) -> bool:
        """An old object is written again, with the same content, so that a collection that begins now leaves it."""
        try:
            found = await obstore.head_async(self._store, path)
        except FileNotFoundError:
            return False
        return found["size"] == size and datetime.now(UTC) - found["last_modified"] < FRESH / 2

    async def _read_identity(self) -> str | None:
        try:
            answer = await obstore.get_async(self._store, f"{LAYOUT}/{IDENTITY}")
        except FileNotFoundError:
            return None
        return bytes(await answer.bytes_async()).decode()

    async def _give_identity(self) -> str:
        """Whoever comes first; some servers let the last one win, so it is read again."""
        with suppress(AlreadyExistsError):
            await obstore.put_async(self._store, f"{LAYOUT}/{IDENTITY}", uuid.uuid4().hex.encode(), mode="create")
        return await self._read_identity() or ""

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """The first line of obstore's errors says what happened, the others how its objects look."""
        try:
            yield
        except (BaseError, OSError) as error:
            reason = mask_credentials(str(error).partition("\n")[0])[:500]
            raise ServiceUnavailable(f"The storage of payloads, {self.place}, failed: {reason}") from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _name(text: str) -> str:
    """One folder's name, for file systems that know no capitals, too. Of a long text it is a hash."""
    encoded = "".join(
        chr(byte) if _PLAIN.match(bytes([byte])) else f"={byte:02x}" for byte in text.encode("utf-8", "surrogatepass")
    )
    if len(encoded) <= LONGEST_NAME:
        return encoded
    return "~" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _text(name: str) -> str:
    """What `_name` was made of."""
    encoded = re.sub(rb"=([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), name.encode())
    return encoded.decode("utf-8", "surrogatepass")


def _is_hashed(folder: str) -> bool:
    return folder.rsplit("/", 1)[-1].startswith("~")
