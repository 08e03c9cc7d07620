"""Each failure of a run comes with its cause and with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.api.enums.v1 import RetryState
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    TerminatedError,
    TimeoutType,
)
from temporalio.exceptions import (
    TimeoutError as StepTimeoutError,
)

import agents.errors
from agents.errors import PerdureError
from temporal.outcome import REMEDIES, failed_run

FAILURES = (Path(__file__).parents[3] / "docs" / "failures.md").read_text()
NAMED = sorted(
    name
    for name, value in vars(agents.errors).items()
    if isinstance(value, type) and issubclass(value, PerdureError) and not value.__subclasses__()
)


def step_failed(cause: BaseException) -> ActivityError:
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="worker",
        activity_type="refund",
        activity_id="1",
        retry_state=RetryState.RETRY_STATE_TIMEOUT,  # type: ignore[arg-type] # the SDK's own enum has the same values
    )
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("name", NAMED)
def test_every_error_has_a_remedy_and_a_line_in_the_documentation(name) -> None:
    assert name in REMEDIES
    assert f"`{name}`" in FAILURES


def test_a_failure_names_the_step_that_raised_it() -> None:
    failed = failed_run("orders-1", WorkflowFailureError(cause=step_failed(ApplicationError("no", type="OutOfStock"))))

    assert str(failed) == "Run 'orders-1' failed in step 'refund' with OutOfStock: no"


def test_a_time_out_says_which_limit() -> None:
    late = StepTimeoutError("late", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[])

    failed = failed_run("orders-1", WorkflowFailureError(cause=step_failed(late)))

    assert failed.message == "It took longer than its start to close limit."
    assert failed.remedy == REMEDIES["TimeoutError"]


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (CancelledError("Workflow cancelled"), "It was cancelled."),
        (TerminatedError("by the operator"), "Somebody ended it: by the operator."),
    ],
    ids=["cancelled", "terminated"],
)
def test_an_end_from_outside_is_told_as_it_is(cause, message) -> None:
    failed = failed_run("orders-1", WorkflowFailureError(cause=cause))

    assert failed.message == message
    assert failed.remedy == "Start it again with `perdure run` when it is wanted after all."
