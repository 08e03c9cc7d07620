"""How exceptions of activities become failures that state their fate."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.failures import MESSAGE_LIMIT, FailureInterceptor, translate
from agents.errors import ContextTooLong, InvalidInput, ProviderBusy, ToolFailed


class Raising(ActivityInboundInterceptor):
    """The end of the chain: an activity that raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ARG002 -- the SDK's name
        raise self.error


async def outcome(error: BaseException) -> BaseException:
    activity = FailureInterceptor().intercept_activity(Raising(error))

    async def run() -> None:
        await activity.execute_activity(ExecuteActivityInput(fn=run, args=[], executor=None, headers={}))

    with pytest.raises(BaseException) as raised:  # noqa: PT011 -- of any kind
        await ActivityEnvironment().run(run)
    return raised.value


def answered(status: int, *, headers: dict[str, str] | None = None, text: str = "no") -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://provider/v1")
    return httpx.HTTPStatusError(text, request=request, response=httpx.Response(status, headers=headers))


def test_an_error_that_fails_the_run_is_not_retried():
    failure = translate(InvalidInput("The question is empty."))

    assert (failure.type, failure.message, failure.non_retryable) == ("InvalidInput", "The question is empty.", True)


def test_an_error_for_the_model_is_not_retried():
    failure = translate(ToolFailed("No such order."))

    assert (failure.type, failure.non_retryable) == ("ToolFailed", True)


def test_an_error_that_says_when_to_come_back_is_retried_then():
    failure = translate(ProviderBusy("Slow down.", retry_after=7))

    assert (failure.non_retryable, failure.next_retry_delay) == (False, timedelta(seconds=7))


def test_the_fate_and_the_first_class_travel_as_details():
    failure = translate(answered(503))

    [detail] = failure.details
    assert (detail.fate, detail.origin, detail.status) == ("retry", "httpx:HTTPStatusError", 503)


@pytest.mark.parametrize(
    ("status", "type_", "fatal"),
    [
        (400, "ProviderRefused", True),
        (401, "ProviderRefused", True),
        (403, "ProviderRefused", True),
        (404, "ProviderRefused", True),
        (408, "ServiceUnavailable", False),
        (429, "ProviderBusy", False),
        (500, "ServiceUnavailable", False),
        (529, "ServiceUnavailable", False),
    ],
)
def test_a_refusal_is_classified_by_its_status(status, type_, fatal):
    failure = translate(answered(status))

    assert (failure.type, failure.non_retryable) == (type_, fatal)


@pytest.mark.parametrize(
    "error",
    [httpx.ConnectError("refused"), httpx.ReadTimeout("silence"), ConnectionResetError(), TimeoutError()],
)
def test_a_service_that_can_not_be_reached_is_retried(error):
    failure = translate(error)

    assert (failure.type, failure.non_retryable) == ("ServiceUnavailable", False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "12"}, 12), ({"retry-after": "1.5"}, 1.5), ({"retry-after-ms": "250"}, 0.25)],
)
def test_a_wait_in_seconds_is_honoured(headers, seconds):
    failure = translate(answered(429, headers=headers))

    assert failure.next_retry_delay == timedelta(seconds=seconds)


def test_a_wait_until_a_date_is_honoured():
    until = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)

    failure = translate(answered(503, headers={"Retry-After": until}))

    assert failure.next_retry_delay is not None
    assert timedelta(minutes=9) < failure.next_retry_delay <= timedelta(minutes=10)


@pytest.mark.parametrize("asked", ["soon", "-3", ""])
def test_a_wait_that_makes_no_sense_leaves_the_usual_one(asked):
    failure = translate(answered(429, headers={"retry-after": asked}))

    assert failure.next_retry_delay is None


def test_a_wait_of_a_day_is_cut_to_an_hour():
    failure = translate(answered(429, headers={"retry-after": "86400"}))

    assert failure.next_retry_delay == timedelta(hours=1)


def test_an_exhausted_quota_is_not_retried():
    failure = translate(answered(429, text="insufficient_quota: check your plan"))

    assert (failure.type, failure.non_retryable) == ("ProviderRefused", True)


def test_a_conversation_that_is_too_long_is_told_from_other_bad_requests():
    failure = translate(answered(400, text="code: context_length_exceeded"))

    assert (failure.type, failure.non_retryable) == (ContextTooLong.__name__, True)


def test_an_unknown_exception_keeps_its_name_and_is_retried():
    failure = translate(KeyError("order"))

    assert (failure.type, failure.message, failure.non_retryable) == ("KeyError", "'order'", False)


def test_an_exception_without_a_message_is_told_by_its_name():
    assert translate(ValueError()).message == "ValueError without a message."


def test_what_a_task_group_wrapped_is_told_itself():
    failure = translate(BaseExceptionGroup("group", [ExceptionGroup("inner", [KeyError("order")])]))

    assert failure.type == "KeyError"


def test_a_message_is_cut():
    assert len(translate(ValueError("x" * 100_000)).message) == MESSAGE_LIMIT


def test_a_key_in_a_message_is_masked():
    assert translate(ValueError("sk-abcdefgh12345 is wrong")).message == "*** is wrong"


async def test_a_failure_has_no_chain():
    error = ValueError("outer")
    error.__cause__ = ValueError("x" * 100_000)

    failure = await outcome(error)

    assert (failure.__cause__, failure.__suppress_context__) == (None, True)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_an_activity_can_not_end_its_worker(error):
    failure = await outcome(error)

    assert isinstance(failure, ApplicationError)
    assert "tried to end the worker" in failure.message


@pytest.mark.parametrize("error", [ApplicationError("mine", type="Mine"), CancelledError(), asyncio.CancelledError()])
async def test_failures_and_cancellation_pass_as_they_are(error):
    assert await outcome(error) is error
