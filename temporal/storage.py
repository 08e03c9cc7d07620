"""Large payloads by reference: Temporal's `ExternalStorage` over `Blobs`, and where the blobs are.

Everything that reads or writes payloads needs it: workers, clients, replays. `find_target` finds it beside the server,
and `connect` puts it into the client.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ExternalStorage,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverWorkflowInfo,
)
from temporalio.exceptions import ApplicationError

from activities.masking import mask_credentials
from agents.errors import PayloadMissing, StorageMismatch
from temporal.blobs import Address, Blobs
from temporal.settings import STORAGE_OFF, InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from obstore.store import ClientConfig, ObjectStore, RetryConfig
    from temporalio.converter import (
        StorageDriverRetrieveContext,
        StorageDriverSelectContext,
        StorageDriverStoreContext,
    )

    from temporal.settings import Settings

THRESHOLD = 64 * 1024
"""Bytes from which on a payload goes to the storage."""

FOLDER = "storage"
DRIVER = "perdure"

_AZURE = (
    *("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"),
    *("AZURE_STORAGE_CLIENT_ID", "AZURE_STORAGE_CLIENT_SECRET", "AZURE_STORAGE_TENANT_ID"),
    "AZURE_STORAGE_ENDPOINT",
)
CREDENTIALS = {
    "s3": (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"),
        *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
    ),
    "gs": ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_APPLICATION_CREDENTIALS"),
    "az": _AZURE,
    "abfss": _AZURE,
}
"""The vendors' own variables, by scheme. `obstore` reads the process's; here they may also stand in `.env`."""

# An outage ends a workflow task soon, and Temporal tries it again; a hanging call would hold its slot.
_RETRY: RetryConfig = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
_CLIENT: ClientConfig = {"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=120)}


@dataclass(frozen=True, slots=True)
class StorageLocation:
    """`place` is a URL, or the folder of this checkout. Credentials are in `config`, and are never printed."""

    place: str
    folder: Path | None = None
    config: Mapping[str, str] = field(default_factory=dict, repr=False)

    def open(self) -> Blobs:
        """Raises InvalidSettings where the URL, or what the environment says to it, can't be used."""
        if self.folder is not None:
            return Blobs(functools.partial(_folder, self.folder), self.place)
        try:
            bucket = _bucket(self.place, self.config)
        except (BaseError, OSError, ValueError) as error:
            reason = mask_credentials(str(error).partition("\n")[0])
            raise InvalidSettings(f"The storage {self.place!r} of large payloads can't be opened: {reason}") from None
        return Blobs(lambda: bucket, self.place)


def find_storage(settings: Settings, address: str, environ: Mapping[str, str]) -> StorageLocation | None:
    """`PERDURE_STORAGE__URL`, else a folder beside a server of this machine, else none.

    A server elsewhere has workers and clients on several machines, which would not see each other's folders.
    """
    url = settings.storage.url
    if url == STORAGE_OFF or (url is None and not _is_local(address)):
        return None
    if url is None:
        folder = (settings.state / FOLDER).absolute()
        return StorageLocation(str(folder), folder)
    if (parts := urlsplit(url)).scheme == "file":
        return StorageLocation(url, Path(unquote(parts.path)))
    return StorageLocation(url, config={name: environ[name] for name in CREDENTIALS[parts.scheme] if environ.get(name)})


def _is_local(address: str) -> bool:
    host = address.rsplit(":", 1)[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _folder(path: Path) -> ObjectStore:
    """For this user alone: payloads are what people asked and were answered."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return LocalStore(path, automatic_cleanup=True)


def _bucket(url: str, config: Mapping[str, str]) -> ObjectStore:
    plain = any(value.startswith("http://") for value in config.values())
    options: ClientConfig = {**_CLIENT, "allow_http": plain}
    given = {name.lower(): value for name, value in config.items()}
    return from_url(url, config=given, client_options=options, retry_config=_RETRY)  # type: ignore[call-overload,no-any-return] # which keys there are depends on the scheme


def external_storage(location: StorageLocation | None, namespace: str) -> ExternalStorage:
    """Without a location nothing is stored, and a reference that comes along is refused with a reason."""
    driver = PayloadDriver(location.open() if location else None, namespace)
    return ExternalStorage(drivers=[driver], driver_selector=driver.select, payload_size_threshold=THRESHOLD)


class PayloadDriver(StorageDriver):
    """Keeps a payload in the folder of the workflow to whose history it belongs."""

    def __init__(self, blobs: Blobs | None, namespace: str) -> None:
        self.blobs = blobs
        self._namespace = namespace

    def name(self) -> str:
        return DRIVER

    def type(self) -> str:
        return "perdure.obstore"

    def select(self, context: StorageDriverSelectContext, payload: Payload) -> StorageDriver | None:  # noqa: ARG002 -- the SDK's signature
        """What belongs to no workflow, as the details of a heartbeat, would never be collected: it stays inline."""
        target = context.target
        belongs = isinstance(target, StorageDriverWorkflowInfo) and bool(target.id)
        return self if self.blobs is not None and belongs else None

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        return [await self._store(context.target, payload) for payload in payloads]

    async def retrieve(
        self,
        context: StorageDriverRetrieveContext,  # noqa: ARG002 -- the SDK's signature
        claims: Sequence[StorageDriverClaim],
    ) -> list[Payload]:
        return [await self._retrieve(claim.claim_data) for claim in claims]

    async def _store(self, target: object, payload: Payload) -> StorageDriverClaim:
        if self.blobs is None or not isinstance(target, StorageDriverWorkflowInfo) or not target.id:
            raise StorageMismatch("There is no storage for this payload.")
        content = await asyncio.to_thread(payload.SerializeToString, deterministic=True)
        address = await self.blobs.put(target.namespace, target.id, content)
        return StorageDriverClaim(
            {
                "storage": await self.blobs.identity(),
                "namespace": address.namespace,
                "workflow": address.workflow,
                "digest": address.digest,
            }
        )

    async def _retrieve(self, claim: Mapping[str, str]) -> Payload:
        address = Address(claim.get("namespace", ""), claim.get("workflow", ""), claim.get("digest", ""))
        if self.blobs is None:
            raise StorageMismatch(f"{_large(address)} is in a storage, and this process has none. {_REMEDY}")
        if address.namespace != self._namespace:
            raise _lost(f"A reference leads to namespace {address.namespace!r}; this one is {self._namespace!r}.")
        try:
            content = await self.blobs.get(address)
        except PayloadMissing as error:
            if claim.get("storage") == await self.blobs.identity():
                raise _lost(f"{_large(address)} is lost: {error}") from None
            raise StorageMismatch(
                f"{_large(address)} is in another storage than {self.blobs.place}, where this process looks. {_REMEDY}"
            ) from None
        return await asyncio.to_thread(Payload.FromString, content)


_REMEDY = "Give all workers and clients the same PERDURE_STORAGE__URL; `perdure doctor` shows this one's."


def _large(address: Address) -> str:
    return f"A large payload of {address.workflow!r}"


def _lost(message: str) -> ApplicationError:
    """In a workflow's task this fails the run. What is gone will not come back, and the task would go on for ever."""
    return ApplicationError(message, type=PayloadMissing.__name__, non_retryable=True)
