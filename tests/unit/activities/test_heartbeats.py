"""Activities that have a heartbeat timeout beat by themselves."""

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import RecordActivityTaskHeartbeatResponse
from temporalio.converter import DataConverter
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ActivityOutboundInterceptor, ExecuteActivityInput

from activities.heartbeats import NOTES, REPORTED, HeartbeatInterceptor


class Body(ActivityInboundInterceptor):
    """The end of the chain: an activity that reports something and waits for a number of beats."""

    def __init__(self, beats: int, *, report: str | None = None) -> None:
        self.enough = asyncio.Event()
        self.beats: list[tuple[Any, ...]] = []
        self.wanted = beats
        self.report = report

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self.outbound = outbound

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ARG002 -- the SDK's name
        if self.report:
            self.outbound.heartbeat(self.report)
        await self.enough.wait()
        return "done"

    def note(self, *details: Any) -> None:
        self.beats.append(details)
        if len(self.beats) >= self.wanted:
            self.enough.set()


class Server(ActivityOutboundInterceptor):
    def __init__(self, body: Body) -> None:
        self.body = body

    def heartbeat(self, *details: Any) -> None:
        self.body.note(*details)


async def run(body: Body, *, every: timedelta | None, client: Any = None) -> Any:
    environment = ActivityEnvironment(client)
    environment.info = dataclasses.replace(environment.info, heartbeat_timeout=every)
    environment.on_heartbeat = lambda *details: body.outbound.heartbeat(*details)  # noqa: PLW0108 -- not there yet

    async def chain() -> Any:
        inbound = HeartbeatInterceptor(10).intercept_activity(body)
        inbound.init(Server(body))
        return await inbound.execute_activity(ExecuteActivityInput(fn=chain, args=[], executor=None, headers={}))

    return await environment.run(chain)


async def test_an_activity_with_a_heartbeat_timeout_beats_while_it_runs():
    body = Body(beats=3)

    result = await run(body, every=timedelta(milliseconds=30))

    assert (result, len(body.beats)) == ("done", 3)


async def test_a_beat_repeats_what_the_activity_reported_last():
    body = Body(beats=3, report="page 7")

    await run(body, every=timedelta(milliseconds=30))

    assert body.beats == [("page 7",)] * 3


async def test_an_activity_without_a_heartbeat_timeout_does_not_beat():
    body = Body(beats=1)
    body.enough.set()

    await run(body, every=None)

    assert body.beats == []


class Recording:
    """A server that keeps what it is told, and takes its time for the first beat."""

    identity = "worker"
    data_converter = DataConverter.default

    def __init__(self) -> None:
        self.workflow_service = self
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.details: list[Any] = []

    async def record_activity_task_heartbeat(self, request: Any, **_options: Any) -> Any:
        self.begun.set()
        await self.go.wait()
        self.details.append(await self.data_converter.decode_wrapper(request.details))
        return RecordActivityTaskHeartbeatResponse()


class Noting(Body):
    """Notes something while a beat is on its way, and tells something at the end."""

    def __init__(self, server: Recording) -> None:
        super().__init__(beats=1)
        self.server = server

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ARG002 -- the SDK's name
        reported = REPORTED.get()
        reported.takes_notes = True
        await self.server.begun.wait()
        reported.notes["call"] = {}
        saving = asyncio.create_task(reported.save())
        await asyncio.sleep(0)
        self.server.go.set()
        await saving
        self.outbound.heartbeat("page 7")
        return "done"


async def test_a_beat_on_its_way_does_not_come_after_a_note_and_the_last_word_is_told():
    server = Recording()
    body = Noting(server)

    await run(body, every=timedelta(milliseconds=30), client=server)

    noted = {NOTES: {"call": {}}}
    assert server.details[0] == []
    assert server.details[1] == [noted]
    assert server.details[-1] == ["page 7", noted]
    assert body.beats == []


async def test_the_beating_ends_with_the_activity():
    before = asyncio.all_tasks()

    await run(Body(beats=1), every=timedelta(milliseconds=30))

    assert not [task for task in asyncio.all_tasks() - before if not task.cancelling()]
