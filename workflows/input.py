"""The argument of a workflow, read inside it. Runs in workflows."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from activities.plain import refuse_vast
from agents.errors import InvalidInput
from workflows.steps import shorten

NO_INPUT = RawValue(Payload())
"""What a workflow that was started without an argument is given."""


def read_input(raw: RawValue) -> Any:
    """The argument as plain JSON, `None` where there is none. Raises `InvalidInput` where it is no JSON."""
    if not raw.payload.metadata:
        return None
    try:
        given = workflow.payload_converter().from_payload(raw.payload)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the input can't be read
        raise InvalidInput(f"The input can't be read as JSON: {shorten(str(error), 300)}") from None
    refuse_vast(given, "The input")
    return given
