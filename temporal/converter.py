"""How values become payloads: pydantic's JSON, the same for workers, clients and replays."""

from __future__ import annotations

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

_ENCODINGS = tuple(PydanticPayloadConverter().converters.values())


class SharedPayloadConverter(CompositePayloadConverter):
    """Pydantic's, whose parts all instances share.

    The SDK makes an instance for every run and every workflow task, and each would build its types' adapters anew.
    """

    def __init__(self) -> None:
        super().__init__(*_ENCODINGS)


DATA_CONVERTER = DataConverter(payload_converter_class=SharedPayloadConverter)
