"""What a client says when there is no server, and how it tells a failed run."""

import asyncio
import socket

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError, TerminatedError, TimeoutType
from temporalio.exceptions import TimeoutError as StepTimeoutError

from temporal.client import ServerUnreachable, connect
from temporal.outcome import failed_run
from temporal.target import Target


async def test_a_refused_connection_is_told_with_the_address_and_the_remedy():
    with pytest.raises(ServerUnreachable) as refused:
        await connect(Target("127.0.0.1:9", "default", "TEMPORAL_ADDRESS"))

    assert str(refused.value) == (
        "No Temporal server answers at 127.0.0.1:9 (TEMPORAL_ADDRESS): connection refused. "
        "Start one with `perdure dev`, or name another with TEMPORAL_ADDRESS."
    )


async def test_a_server_that_is_no_temporal_is_not_waited_for_long():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = Target(f"127.0.0.1:{silent.getsockname()[1]}", "default", "TEMPORAL_ADDRESS")

        async with asyncio.timeout(30):
            with pytest.raises(ServerUnreachable, match="No Temporal server answers"):
                await connect(target)


def step_failed(cause: BaseException, *, step: str = "find_order") -> ActivityError:
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=5,
        started_event_id=6,
        identity="worker",
        activity_type=step,
        activity_id="1",
        retry_state=None,
    )
    error.__cause__ = cause
    return error


def test_a_failed_run_is_told_by_the_error_that_it_raised():
    cause = ApplicationError("Unknown agent 'ordrs'. Known: 'orders'.", type="UnknownAgent")

    failed = failed_run("ordrs-1", WorkflowFailureError(cause=cause))

    assert str(failed) == "Run 'ordrs-1' failed with UnknownAgent: Unknown agent 'ordrs'. Known: 'orders'."
    assert failed.is_callers_mistake


def test_a_failed_step_is_named():
    cause = step_failed(ApplicationError("no such order", type="KeyError"))

    failed = failed_run("orders-1", WorkflowFailureError(cause=cause))

    assert (failed.step, failed.type, failed.message) == ("find_order", "KeyError", "no such order")


def test_a_step_below_the_runs_own_error_is_named():
    cause = ApplicationError("The model's key was refused.", type="ProviderRefused")
    cause.__cause__ = step_failed(ApplicationError("401", type="ProviderRefused"), step="call_model")

    failed = failed_run("orders-1", WorkflowFailureError(cause=cause))

    assert (failed.step, failed.message) == ("call_model", "The model's key was refused.")


def test_a_step_that_ran_out_of_time_is_told_by_its_limit():
    timeout = StepTimeoutError("timed out", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[])

    failed = failed_run("orders-1", WorkflowFailureError(cause=step_failed(timeout)))

    assert failed.message == "It took longer than its start to close limit."
    assert "StepOptions" in failed.remedy


def test_a_run_that_somebody_ended_is_told_with_the_reason():
    failed = failed_run("orders-1", WorkflowFailureError(cause=TerminatedError("by hand")))

    assert (failed.type, failed.message) == ("TerminatedError", "Somebody ended it: by hand.")
