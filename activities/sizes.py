"""Refuses what is too large for Temporal before it is sent. Left to the server, it would be tried again and again."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temporalio import activity
from temporalio.common import RawValue
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from agents.errors import UnsupportedValue, ValueTooLarge
from agents.exchange import place_of_unfit

if TYPE_CHECKING:
    from temporalio.api.common.v1 import Payload
    from temporalio.converter import PayloadConverter

MOST_BYTES = 2 * 1024 * 1024 - 16 * 1024
"""The server's limit for one payload is 2 MiB; the rest is for what it wraps around it."""

REFERENCE_BYTES = 512
"""About what a payload takes in the history whose content is in the storage."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`most` is the largest payload that is taken; from `stored_from` bytes on, the history has a reference alone."""

    most: int = MOST_BYTES
    stored_from: int | None = None

    def inline(self, size: int) -> int:
        """What a payload of `size` bytes adds to a message to the server."""
        return size if self.stored_from is None or size < self.stored_from else REFERENCE_BYTES


LIMITS: ContextVar[Limits] = ContextVar("perdure_limits", default=Limits())  # noqa: B039 -- frozen
"""Those of the worker at work, set by its interceptors."""


def packed(value: Any, what: str, converter: PayloadConverter) -> RawValue:
    """`value` as the payload that will be sent. Raises `ValueTooLarge` or `UnsupportedValue`, naming `what`."""
    try:
        payload: Payload = converter.to_payload(value)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the value can't be sent
        place = place_of_unfit(value, lambda part: _is_writable(part, converter)).removeprefix(".")
        where = f" at {place}" if place else ""
        raise UnsupportedValue(f"{what} can't be written as JSON{where}: {str(error)[:300]}") from None
    limits = LIMITS.get()
    if (size := len(payload.data)) > limits.most:
        raise ValueTooLarge(f"{what} has {size:,} bytes, and {_most(limits)}")
    return RawValue(payload)


def _is_writable(value: Any, converter: PayloadConverter) -> bool:
    try:
        return converter.to_payload(value) is not None
    except Exception:  # noqa: BLE001 -- whatever it is
        return False


def _most(limits: Limits) -> str:
    if limits.stored_from is None:
        return (
            f"Temporal takes {limits.most:,} at most. Let the tool return less, or keep large payloads in a storage: "
            "PERDURE_STORAGE__URL names one."
        )
    return (
        f"PERDURE_STORAGE__LARGEST allows {limits.most:,}. "
        "Let the tool return less, or a reference to where the rest is."
    )


class SizeInterceptor(Interceptor):
    """Checks what activities give back."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 -- the SDK's name
        return _Sized(next, self._limits)


class _Sized(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, limits: Limits) -> None:  # noqa: A002 -- the SDK's name
        super().__init__(next)
        self._limits = limits

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 -- the SDK's name
        LIMITS.set(self._limits)
        result = await self.next.execute_activity(input)
        return packed(result, f"The result of {activity.info().activity_type}", activity.payload_converter())
