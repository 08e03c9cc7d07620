"""What threads no longer carry, in the storage of large payloads: in each thread's folder, as one object a page."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from temporalio.converter import (
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)

from activities.compaction import Page
from agents.errors import StorageMismatch
from temporal.storage import PayloadDriver

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.converter import DataConverter

    from activities.compaction import Claim


class PageArchive:
    """Pages are payloads like all others: what `converter` does to those, it does to them."""

    def __init__(self, driver: PayloadDriver, converter: DataConverter, namespace: str) -> None:
        self._driver = driver
        self._converter = dataclasses.replace(converter, external_storage=None)
        self._namespace = namespace

    async def keep(self, thread: str, page: Page) -> Claim:
        target = StorageDriverWorkflowInfo(namespace=self._namespace, id=thread)
        payloads = await self._converter.encode([page])
        [claim] = await self._driver.store(StorageDriverStoreContext(target=target), payloads)
        return dict(claim.claim_data)

    async def read(self, claim: Claim) -> Page:
        payloads = await self._driver.retrieve(StorageDriverRetrieveContext(), [StorageDriverClaim(claim)])
        [page] = await self._converter.decode(payloads, [Page])
        return page  # type: ignore[no-any-return] # the SDK says no more of what it decodes


def archive_of(client: Client) -> PageArchive | None:
    """That of the client's storage, where it has one."""
    storage = client.data_converter.external_storage
    for driver in storage.drivers if storage else ():
        if isinstance(driver, PayloadDriver) and driver.blobs is not None:
            return PageArchive(driver, client.data_converter, client.namespace)
    return None


def require_archive(client: Client) -> PageArchive:
    if archive := archive_of(client):
        return archive
    raise StorageMismatch(
        "What was compacted is in the storage of large payloads, and this process has none. Give all workers and "
        "clients the same PERDURE_STORAGE__URL."
    )
