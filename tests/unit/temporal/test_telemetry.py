"""The interceptor that logs runs and steps, and binds what they are about."""

from typing import Any

import pytest
import structlog
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from temporal.telemetry import LoggingInterceptor, _agent
from tests.unit.temporal.recorded import records
from workflows.continuation import MARK


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
