"""Logs: their two forms, what is bound, what is left out. And the interceptor that writes about runs and steps."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from temporal.settings import LogSettings
from temporal.telemetry import OWN, QUIET, LoggingInterceptor, _agent, configure_logging, drop_on_replay
from workflows.continuation import MARK


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in (*OWN, *QUIET)}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, earlier in levels.items():
        logging.getLogger(name).setLevel(earlier)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def written() -> io.StringIO:
    """What is logged, as JSON lines."""
    stream = io.StringIO()
    configure_logging(LogSettings(level="debug"), stream)
    return stream


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_elsewhere_than_in_a_terminal_a_record_is_a_line_of_json(written):
    structlog.get_logger("temporal.worker").info("worker_started", task_queue="perdure")

    [record] = records(written)
    assert (record["event"], record["task_queue"], record["level"]) == ("worker_started", "perdure", "info")


def test_a_readable_record_begins_with_its_time_and_event():
    stream = io.StringIO()
    configure_logging(LogSettings(format="console"), stream)

    structlog.get_logger("temporal.worker").info("worker_started", task_queue="perdure")

    assert "[info     ] worker_started" in stream.getvalue()


def test_records_of_the_standard_library_come_out_alike(written):
    logging.getLogger("temporalio.worker").warning("Poll of %s failed", "perdure")

    [record] = records(written)
    assert (record["event"], record["level"]) == ("Poll of perdure failed", "warning")


def test_what_is_bound_is_in_every_record(written):
    with structlog.contextvars.bound_contextvars(run="research-1"):
        logging.getLogger("temporalio.worker").warning("late")
        structlog.get_logger("activities.tool").info("asked")

    assert [record["run"] for record in records(written)] == ["research-1", "research-1"]


@pytest.mark.parametrize("name", ["openai._base_client", "httpx", "temporalio.worker"])
def test_the_requests_that_libraries_print_when_debugging_are_not_logged(written, name):
    logging.getLogger(name).debug("Request options: %s", {"messages": ["a secret of the user"]})

    assert written.getvalue() == ""


def test_keys_are_masked(written):
    structlog.get_logger("activities.model").info("called", error="key sk-abcdefgh12345 refused")

    [record] = records(written)
    assert record["error"] == "key *** refused"


def test_what_the_sdk_says_of_a_failed_activity_is_not_said_twice(written):
    logging.getLogger("temporalio.activity").warning(
        "Completing activity as failed", extra={"__temporal_error_identifier": "ActivityFailure"}
    )

    assert written.getvalue() == ""


def test_outside_of_a_workflow_nothing_is_dropped():
    assert drop_on_replay(None, "info", {"event": "asked"}) == {"event": "asked"}


class Body(ActivityInboundInterceptor):
    """The end of the chain: an activity that logs, and fails where it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ARG002 -- the SDK's name
        structlog.get_logger("activities.tool").info("at_work")
        if self.error:
            raise self.error


async def execute(body: Body, *, request: Any = None) -> None:
    activity = LoggingInterceptor().intercept_activity(body)
    given = ExecuteActivityInput(fn=execute, args=[request] if request else [], executor=None, headers={})

    async def run() -> None:
        await activity.execute_activity(given)

    await ActivityEnvironment().run(run)


async def test_a_step_is_logged_from_its_start_to_its_end(written):
    await execute(Body())

    assert [record["event"] for record in records(written)] == ["step_started", "at_work", "step_finished"]


async def test_each_record_of_a_step_says_which_one_it_is_of(written):
    await execute(Body(), request={"agent": "research"})

    bound = {(record["run"], record["step"], record["attempt"], record["agent"]) for record in records(written)}
    assert bound == {("test", "unknown", 1, "research")}


async def test_a_failed_step_is_logged_with_its_reason(written):
    with pytest.raises(ApplicationError):
        await execute(Body(ApplicationError("no such order", type="ProviderRefused", non_retryable=True)))

    failed = records(written)[-1]
    assert (failed["event"], failed["type"], failed["error"]) == ("step_failed", "ProviderRefused", "no such order")
    assert "exception" not in failed


async def test_an_error_that_nobody_classified_is_logged_with_its_traceback(written):
    with pytest.raises(ApplicationError):
        await execute(Body(ApplicationError("'order'", type="KeyError")))

    assert "Traceback" in records(written)[-1]["exception"]


async def test_what_was_bound_for_a_step_is_gone_after_it(written):
    await execute(Body())

    structlog.get_logger("temporal.worker").info("worker_stopping")

    assert "step" not in records(written)[-1]


def test_the_agent_of_a_run_that_goes_on_is_known_without_reading_its_state() -> None:
    """The state may have many megabytes, and a workflow no time."""
    payload = Payload(metadata={MARK: b"orders"}, data=b"no JSON at all")

    assert _agent([RawValue(payload)]) == {"agent": "orders"}
