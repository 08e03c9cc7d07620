"""Spares walks over messages in which there is nothing to find. Installed once per process.

The SDK walks three times over each message from the server to a workflow and three times over each answer, with a task
for each payload, for codecs and external storages: a seventh of the worker's time for a workflow task. Where there is
no codec, and nothing that is or could be in a storage, no walk would change anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import temporalio.bridge.worker as bridge
from temporalio.converter._extstore import _REFERENCE_ENCODING, _REFERENCE_MESSAGE_TYPE, StorageOperationMetrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from temporalio.bridge.proto.workflow_activation import WorkflowActivation
    from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
    from temporalio.converter import DataConverter

    Walk = Callable[..., Awaitable[StorageOperationMetrics]]

REFERENCES = (_REFERENCE_ENCODING, _REFERENCE_MESSAGE_TYPE)
"""One of them is in each message that refers to a storage."""


def install() -> None:
    if not hasattr(bridge.decode_activation, _MARK):
        bridge.decode_activation = _inwards(bridge.decode_activation)  # type: ignore[assignment]
        bridge.encode_completion = _outwards(bridge.encode_completion)  # type: ignore[assignment]


_MARK = "_perdure_walk"


def _inwards(walk: Walk) -> Walk:
    async def decode(activation: WorkflowActivation, data_converter: DataConverter, **how: Any) -> Any:
        if data_converter.payload_codec is None:
            message = activation.SerializeToString()
            if not any(reference in message for reference in REFERENCES):
                return StorageOperationMetrics()
        return await walk(activation, data_converter, **how)

    setattr(decode, _MARK, True)
    return decode


def _outwards(walk: Walk) -> Walk:
    async def encode(completion: WorkflowActivationCompletion, data_converter: DataConverter, **how: Any) -> Any:
        storage = data_converter.external_storage
        if data_converter.payload_codec is None and (
            storage is None or completion.ByteSize() < storage.payload_size_threshold
        ):
            return StorageOperationMetrics()
        return await walk(completion, data_converter, **how)

    return encode
