"""Logs: their two forms, what is bound, what is left out, and what becomes of records that nobody can take."""

import io
import logging
from typing import Any

import pytest
import structlog

from temporal.logs import configure_logging, drop_on_replay
from temporal.settings import LogSettings
from tests.unit.temporal.recorded import records

pytestmark = pytest.mark.usefixtures("logging_as_before")


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


def test_a_record_that_can_t_be_written_down_is_told_of_and_fails_nobody(written):
    circle: dict[str, Any] = {}
    circle["itself"] = circle

    structlog.get_logger("agents.mine").warning("looked_around", found=circle)

    [record] = records(written)
    assert (record["event"], record["level"], record["said"]) == ("record_lost", "warning", "looked_around")


class Gone(io.StringIO):
    """A pipe whose reader has ended."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_log_that_nobody_reads_any_more_fails_nobody(written):
    configure_logging(LogSettings(), Gone())

    structlog.get_logger("activities.tool").error("asked")

    configure_logging(LogSettings(), written)
    structlog.get_logger("activities.tool").info("asked again")
    assert [record["event"] for record in records(written)] == ["asked again"]


def test_what_the_sdk_says_of_a_failed_activity_is_not_said_twice(written):
    logging.getLogger("temporalio.activity").warning(
        "Completing activity as failed", extra={"__temporal_error_identifier": "ActivityFailure"}
    )

    assert written.getvalue() == ""


def test_outside_of_a_workflow_nothing_is_dropped():
    assert drop_on_replay(None, "info", {"event": "asked"}) == {"event": "asked"}
