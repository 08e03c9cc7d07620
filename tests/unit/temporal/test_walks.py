"""Messages between the server and workflows are walked through where a codec or a storage has something to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import temporalio.bridge.worker as bridge
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import (
    DataConverter,
    PayloadCodec,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)

from temporal import walks
from temporal.converter import DATA_CONVERTER, data_converter
from temporal.storage import THRESHOLD, StorageLocation

walks.install()

SMALL = Payload(metadata={"encoding": b"json/plain"}, data=b'"small"')
LARGE = Payload(metadata={"encoding": b"json/plain"}, data=b'"' + b"x" * THRESHOLD + b'"')
CONTEXT = StorageDriverStoreContext(StorageDriverWorkflowInfo(namespace="default", id="orders-1"))


class Reversed(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata=payload.metadata, data=payload.data[::-1]) for payload in payloads]

    decode = encode


@pytest.fixture
def storing(tmp_path: Path) -> DataConverter:
    return data_converter(StorageLocation(str(tmp_path), tmp_path), "default")._with_store_context(CONTEXT)


async def sent(payload: Payload, converter: DataConverter) -> Payload:
    """The argument of an activity, as the server gets it."""
    completion = WorkflowActivationCompletion()
    completion.successful.commands.add().schedule_activity.arguments.append(payload)
    await bridge.encode_completion(completion, converter, encode_headers=False, storage_concurrency_limit=1)
    return completion.successful.commands[0].schedule_activity.arguments[0]


async def received(payload: Payload, converter: DataConverter) -> Payload:
    """What an activity has given, as the workflow gets it."""
    activation = WorkflowActivation()
    activation.jobs.add().resolve_activity.result.completed.result.CopyFrom(payload)
    await bridge.decode_activation(activation, converter, decode_headers=False, storage_concurrency_limit=1)
    return activation.jobs[0].resolve_activity.result.completed.result


async def test_what_is_large_goes_to_the_storage_and_comes_back(storing):
    reference = await sent(LARGE, storing)

    assert reference.ByteSize() < 1_000
    assert await received(reference, storing) == LARGE


async def test_what_is_small_goes_as_it_is(storing):
    assert await sent(SMALL, storing) == SMALL
    assert await received(SMALL, storing) == SMALL


async def test_without_a_storage_all_goes_as_it_is():
    assert await sent(LARGE, DATA_CONVERTER) == LARGE
    assert await received(LARGE, DATA_CONVERTER) == LARGE


async def test_a_codec_sees_each_payload():
    converter = dataclasses.replace(DATA_CONVERTER, payload_codec=Reversed())

    encoded = await sent(SMALL, converter)

    assert encoded.data == SMALL.data[::-1]
    assert await received(encoded, converter) == SMALL


@pytest.mark.parametrize(("payload", "walked"), [(SMALL, False), (LARGE, True)])
async def test_only_what_may_be_stored_is_walked_through(storing, payload, walked):
    walks_taken = list[Any]()

    async def walk(message: object, *_args: object, **_how: object) -> None:
        walks_taken.append(message)

    completion = WorkflowActivationCompletion()
    completion.successful.commands.add().schedule_activity.arguments.append(payload)
    await walks._outwards(walk)(completion, storing)  # type: ignore[arg-type]

    assert bool(walks_taken) == walked


async def test_only_what_holds_a_reference_is_walked_through(storing):
    walks_taken = list[Any]()

    async def walk(message: object, *_args: object, **_how: object) -> None:
        walks_taken.append(message)

    reference = await sent(LARGE, storing)
    for payload in (LARGE, reference):
        activation = WorkflowActivation()
        activation.jobs.add().resolve_activity.result.completed.result.CopyFrom(payload)
        await walks._inwards(walk)(activation, storing)  # type: ignore[arg-type]

    assert walks_taken == [activation]
