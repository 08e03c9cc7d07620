"""Refuses what is too large for Temporal before it is sent. Left to the server, it would be tried again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.common import RawValue
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from agents.errors import UnsupportedValue, ValueTooLarge

if TYPE_CHECKING:
    from temporalio.api.common.v1 import Payload
    from temporalio.converter import PayloadConverter

MOST_BYTES = 2 * 1024 * 1024 - 16 * 1024
"""The server's limit for one payload is 2 MiB; the rest is for what it wraps around it."""


def packed(value: Any, what: str, converter: PayloadConverter) -> RawValue:
    """`value` as the payload that will be sent. Raises `ValueTooLarge` or `UnsupportedValue`, naming `what`."""
    try:
        payload: Payload = converter.to_payload(value)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the value can't be sent
        raise UnsupportedValue(f"{what} can't be written as JSON: {str(error)[:300]}") from None
    if (size := len(payload.data)) > MOST_BYTES:
        raise ValueTooLarge(
            f"{what} has {size:,} bytes, and Temporal takes {MOST_BYTES:,} at most. "
            "Let the tool return less, or a reference to where the rest is."
        )
    return RawValue(payload)


class SizeInterceptor(Interceptor):
    """Checks what activities give back."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 -- the SDK's name
        return _Sized(next)


class _Sized(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 -- the SDK's name
        result = await super().execute_activity(input)
        return packed(result, f"The result of {activity.info().activity_type}", activity.payload_converter())
