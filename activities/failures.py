"""Turns whatever an activity raises into one short Temporal failure that states its fate. Runs in activities.

Errors of model providers and HTTP services are told apart by their status, not by their class, so that no
vendor's package is needed to recognise them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import ContextOverflowError, ModelConnectionError, ModelTimeoutError
from pydantic import BaseModel, ConfigDict
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.masking import mask_credentials
from agents.errors import (
    ContextTooLong,
    Fate,
    PerdureError,
    ProviderBusy,
    ProviderRefused,
    RetryableError,
    ServiceUnavailable,
)

if TYPE_CHECKING:
    from types import TracebackType

MESSAGE_LIMIT = 2_000
ARGUMENTS_LIMIT = 500
TRACEBACK_LIMIT = 6
LONGEST_WAIT = timedelta(hours=1)

_OVERFLOW = ("context_length_exceeded", "context window", "context length", "prompt is too long")
_EXHAUSTED = ("insufficient_quota", "billing_hard_limit", "credit balance is too low")
_REMEDIES = {
    401: "Check the provider's key; `perdure doctor` shows which model is used.",
    403: "The key has no right to this; use another key or another model.",
    404: "Check the model's name and the address of its provider.",
}


class FailureDetail(BaseModel):
    """What a failure says beside type and message.

    `origin` is the class first raised, as `module:Name`, `arguments` what it was raised with, where that is short and
    plain, and `said` its words, where the failure has others: with them a workflow can raise the same exception.
    """

    model_config = ConfigDict(frozen=True)

    fate: Fate
    origin: str
    status: int | None = None
    arguments: list[Any] | None = None
    said: str | None = None


def translate(error: BaseException) -> ApplicationError:
    """The failure that tells Temporal, and the workflow, what to do about `error`."""
    origin = _only_cause(error)
    meaning = classify(origin)
    fate: Fate = meaning.fate if isinstance(meaning, PerdureError) else "retry"
    wait = meaning.retry_after if isinstance(meaning, RetryableError) else None
    return ApplicationError(
        _message(meaning),
        FailureDetail(
            fate=fate,
            origin=_qualified_name(origin),
            status=_status(origin),
            arguments=_arguments(origin),
            said=None if meaning is origin else _message(origin),
        ),
        type=type(meaning).__name__,
        non_retryable=fate != "retry",
        next_retry_delay=min(timedelta(seconds=wait), LONGEST_WAIT) if wait else None,
    )


def classify(error: BaseException) -> BaseException:
    """The error of ours that says what `error` means, or `error` itself where nothing is known about it."""
    if isinstance(error, PerdureError):
        return error
    if isinstance(error, SystemExit | KeyboardInterrupt):
        return RuntimeError(
            f"The step tried to end the worker ({error!r}). Return a value or raise an exception instead."
        )
    text = words_of(error)
    if isinstance(error, ContextOverflowError) or any(sign in text for sign in _OVERFLOW):
        return ContextTooLong(f"The conversation is longer than the model's context: {text}")
    status = _status(error)
    if status is not None:
        return _refusal(status, error)
    if _is_unreachable(error):
        return ServiceUnavailable(f"No answer from the other side ({type(error).__name__}): {text}")
    return error


def _refusal(status: int, error: BaseException) -> PerdureError:
    said = f"{status} from the other side: {words_of(error)}"
    if any(sign in said for sign in _EXHAUSTED):
        return ProviderRefused(f"{said} The account's quota is used up; raise it or use another model.")
    if status == 429:  # noqa: PLR2004 - a status is its own name
        return ProviderBusy(said, retry_after=_retry_after(error))
    if status in (408, 409, 425) or status >= 500:  # noqa: PLR2004
        return ServiceUnavailable(said, retry_after=_retry_after(error))
    return ProviderRefused(f"{said} {_REMEDIES.get(status, '')}".rstrip())


def _status(error: BaseException) -> int | None:
    """The HTTP status that `error` reports, wherever its library keeps it."""
    for source in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            value = getattr(source, name, None)
            if isinstance(value, int) and 400 <= value <= 599:  # noqa: PLR2004
                return value
    return _streamed_status(error)


def _streamed_status(error: BaseException) -> int | None:
    """A stream that has begun with 200 reports its error as a word in the body."""
    words = f"{getattr(error, 'code', '')} {getattr(error, 'type', '')}"
    if "rate_limit" in words:
        return 429
    return 503 if "server_error" in words or "overloaded" in words else None


def _retry_after(error: BaseException) -> float | None:
    """Seconds that the response asks to wait: `retry-after-ms`, or `Retry-After` as a number or a date."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    if not isinstance(headers, Mapping):
        return None
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        asked = headers.get("retry-after") or headers.get("Retry-After")
        return _seconds(str(asked)) if asked else None
    except ValueError:
        return None


def _seconds(asked: str) -> float:
    if asked.strip().replace(".", "", 1).isdigit():
        return float(asked)
    moment = parsedate_to_datetime(asked)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _is_unreachable(error: BaseException) -> bool:
    """`TransportError` is the root of time-outs, refusals and broken streams in httpx and in httpx2."""
    if isinstance(error, ConnectionError | TimeoutError | ModelConnectionError | ModelTimeoutError):
        return True
    return any(base.__name__ in ("TransportError", "APIConnectionError") for base in type(error).__mro__)


def _only_cause(error: BaseException) -> BaseException:
    """What a task group wrapped, when it wrapped one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _message(error: BaseException) -> str:
    text = mask_credentials(words_of(error)) or without_words(error)
    return text if len(text) <= MESSAGE_LIMIT else f"{text[: MESSAGE_LIMIT - 1]}…"


def words_of(error: BaseException) -> str:
    """What it says, as text that can be carried. A class may be unable to say it."""
    try:
        text = str(error)
    except Exception as why:  # noqa: BLE001 -- of any kind
        text = f"{without_words(error)} Its `__str__` raises {type(why).__name__}."
    return text.encode("utf-8", "backslashreplace").decode()


def without_words(error: BaseException) -> str:
    return f"{type(error).__name__} without a message."


def _qualified_name(error: BaseException) -> str:
    return f"{type(error).__module__}:{type(error).__qualname__}"


def _arguments(error: BaseException) -> list[Any] | None:
    """None where one of them is no plain value, is long, or holds a credential."""
    if not all(map(_is_plain, error.args)):
        return None
    said = repr(error.args)
    return list(error.args) if len(said) <= ARGUMENTS_LIMIT and mask_credentials(said) == said else None


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() == value  # no half of a pair
    return value is None or isinstance(value, (int, float, bool))


def last_frames(traceback: TracebackType | None) -> TracebackType | None:
    """The end of `traceback`: enough to find the line, short enough for the server's limit on a failure."""
    frames = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    return frames[-TRACEBACK_LIMIT:][0] if frames else None


class FailureInterceptor(Interceptor):
    """Applies `translate` to every activity. Temporal's own failures and cancellation pass as they are."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Translating(next)


class _Translating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        try:
            return await self.next.execute_activity(input)
        except (FailureError, asyncio.CancelledError):
            raise
        except (Exception, SystemExit, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001 - none may pass as it is
            raise translate(error).with_traceback(last_frames(error.__traceback__)) from None
