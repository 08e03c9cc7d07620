"""How values become payloads: pydantic's JSON, the same for workers, clients and replays."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Self

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

from activities.sizes import Limits
from temporal.storage import PayloadDriver, external_storage

if TYPE_CHECKING:
    from temporalio.converter import SerializationContext

    from temporal.storage import StorageLocation

_PYDANTIC = PydanticPayloadConverter().converters


class SharedPayloadConverter(CompositePayloadConverter):
    """Pydantic's, whose parts all instances share.

    The SDK makes instances for every run and every workflow task, and each would build its types' adapters anew.
    """

    def __init__(self) -> None:
        self.converters = _PYDANTIC

    def with_context(self, _context: SerializationContext) -> Self:
        """No part of it looks at where a payload belongs."""
        return self


DATA_CONVERTER = DataConverter(payload_converter_class=SharedPayloadConverter)
"""Keeps every payload in the history, however large."""


def data_converter(location: StorageLocation | None, namespace: str) -> DataConverter:
    """Keeps large payloads at `location`. Without one it knows a reference when it sees it, and says what is wrong."""
    return dataclasses.replace(DATA_CONVERTER, external_storage=external_storage(location, namespace))


def payload_limits(converter: DataConverter, *, most: int) -> Limits:
    """What `converter` allows: payloads of `most` bytes where it has a storage, what Temporal takes where not."""
    storage = converter.external_storage
    drivers = storage.drivers if storage else []
    if storage is None or not any(isinstance(driver, PayloadDriver) and driver.blobs for driver in drivers):
        return Limits()
    return Limits(most, storage.payload_size_threshold)
