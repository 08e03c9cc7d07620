"""What a step asks the server before it begins, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    RecordActivityTaskHeartbeatResponse,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ActivityOutboundInterceptor, ExecuteActivityInput

from activities.heartbeats import HeartbeatInterceptor
from activities.late import IN_TIME, LatenessInterceptor, refuse_unwanted
from agents.errors import NotBegun
from temporal.converter import DATA_CONVERTER


class Attempt(ActivityInboundInterceptor):
    def __init__(self) -> None:
        """The end of the chain."""

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        """It tells nothing."""

    async def execute_activity(self, input: ExecuteActivityInput) -> None:  # noqa: A002, ARG002 -- the SDK's name
        await refuse_unwanted()


class Outbound(ActivityOutboundInterceptor):
    def __init__(self) -> None:
        """The end of the chain."""


@dataclass
class Server:
    """Knows of `runs` the type, whether it is cancelled, and who called it; of one attempt whether it is cancelled, or
    nothing.
    """

    runs: dict[str, tuple[str, bool, str]] = field(default_factory=dict)
    attempt_is_cancelled: bool | None = False
    asked: list[str] = field(default_factory=list)

    namespace, identity, data_converter = "default", "test", DATA_CONVERTER

    @property
    def workflow_service(self) -> Server:
        return self

    async def record_activity_task_heartbeat(self, *_given: Any, **_options: Any) -> Any:
        self.asked.append("attempt")
        if self.attempt_is_cancelled is None:
            raise RPCError("gone", RPCStatusCode.NOT_FOUND, b"")
        return RecordActivityTaskHeartbeatResponse(cancel_requested=self.attempt_is_cancelled)

    async def describe_workflow_execution(self, request: DescribeWorkflowExecutionRequest, **_options: Any) -> Any:
        self.asked.append(request.execution.run_id)
        if request.execution.run_id not in self.runs:
            raise RPCError("gone", RPCStatusCode.NOT_FOUND, b"")
        type_, is_cancelled, caller = self.runs[request.execution.run_id]
        told = DescribeWorkflowExecutionResponse()
        told.workflow_execution_info.type.name = type_
        told.workflow_extended_info.cancel_requested = is_cancelled
        if caller:
            told.workflow_execution_info.parent_execution.workflow_id = "caller"
            told.workflow_execution_info.parent_execution.run_id = caller
        return told


def beginning(server: Server, *, waited: timedelta = 2 * IN_TIME, **info: Any) -> Callable[[], Awaitable[None]]:
    """Has an attempt of a run's step begin."""
    lateness = LatenessInterceptor({"Agent"})

    async def begin() -> None:
        environment = ActivityEnvironment(client=server)  # type: ignore[arg-type]
        now = datetime.now(UTC)
        times = {"current_attempt_scheduled_time": now - waited, "started_time": now}
        environment.info = replace(environment.info, workflow_run_id="run", **{**times, **info})

        async def chain() -> None:
            inbound = HeartbeatInterceptor(10).intercept_activity(lateness.intercept_activity(Attempt()))
            inbound.init(Outbound())
            await inbound.execute_activity(ExecuteActivityInput(fn=chain, args=[], executor=None, headers={}))

        await environment.run(chain)

    return begin


async def test_a_step_that_begins_in_time_asks_nothing() -> None:
    server = Server(runs={"run": ("Agent", True, "")})

    await beginning(server, waited=timedelta(0))()

    assert server.asked == []


async def test_a_step_that_begins_late_asks() -> None:
    server = Server(runs={"run": ("Agent", False, "")})

    await beginning(server)()

    assert server.asked == ["attempt", "run"]


async def test_a_second_attempt_asks() -> None:
    server = Server(runs={"run": ("Agent", False, "")})

    await beginning(server, waited=timedelta(0), attempt=2)()

    assert server.asked == ["attempt", "run"]


async def test_a_worker_whose_clock_is_slow_sees_that_the_step_has_waited() -> None:
    server, later = Server(runs={"run": ("Agent", False, "")}), datetime.now(UTC) + timedelta(hours=1)

    await beginning(server, current_attempt_scheduled_time=later, started_time=later + 2 * IN_TIME)()

    assert server.asked == ["attempt", "run"]


@pytest.mark.parametrize(
    "server",
    [
        Server(attempt_is_cancelled=True),
        Server(attempt_is_cancelled=None),
        Server(runs={"run": ("Agent", True, "")}),
        Server(
            runs={"run": ("Agent", False, "first"), "first": ("Agent", False, "second"), "second": ("Agent", True, "")}
        ),
    ],
    ids=["cancelled", "given up", "of a cancelled run", "of a cancelled caller"],
)
async def test_a_step_that_is_not_wanted_does_not_begin(server) -> None:
    with pytest.raises(NotBegun, match="would have begun late"):
        await beginning(server)()


@pytest.mark.parametrize(
    "runs",
    [
        {"run": ("Agent", False, "other"), "other": ("Order", True, "")},
        {"run": ("Agent", False, "other")},
    ],
    ids=["of another kind", "not there"],
)
async def test_a_caller_that_is_no_agent_does_not_matter(runs) -> None:
    server = Server(runs=runs)

    await beginning(server)()

    assert server.asked == ["attempt", "run", "other"]


async def test_a_local_step_has_no_attempt_that_the_server_knows() -> None:
    server = Server(runs={"run": ("Agent", False, "")})

    await beginning(server, is_local=True)()

    assert server.asked == ["run"]


async def test_late_steps_share_what_they_hear_of_their_run() -> None:
    server = Server(runs={"run": ("Agent", False, "")})
    begin = beginning(server)

    await asyncio.gather(*(begin() for _ in range(200)))

    assert server.asked.count("run") < server.asked.count("attempt") == 200
