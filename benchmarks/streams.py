"""How long a token takes from the model to a watcher, with many runs at once and one watcher each."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import uuid
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from temporalio.contrib.workflow_streams import WorkflowStreamClient

from activities.events import TokenEvent
from benchmarks.contestants import streams as speaking
from benchmarks.event_server import find_server, serve_events
from benchmarks.process import start
from benchmarks.roster import MODULES, Contestant, Start, agent
from benchmarks.server import open_server
from temporal.client import Run
from temporal.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from activities.publishing import EventTransport
    from benchmarks.server import Server

AT_ONCE = 20

EMBEDDED = Contestant(
    name="perdure, embedded",
    about="events over the SQLite log in the state folder",
    opens=f"{MODULES}.streams:opened_embedded",
    job=agent("clock", "What time is it?"),
)
REDIS = Contestant(
    name="perdure, Redis",
    about="events over Redis Streams",
    opens=f"{MODULES}.streams:opened_server",
    job=agent("clock", "What time is it?"),
)
WORKFLOW_STREAMS = Contestant(
    name="workflow streams",
    about=(
        "`temporalio.contrib.workflow_streams` of Temporal's SDK, with its defaults but for a flush every "
        f"{speaking.FLUSH.total_seconds() * 1000:.0f} ms in place of 2 s"
    ),
    opens=f"{MODULES}.streams:opened_workflow_streams",
    job=Start("SpeakingWorkflow"),
)
STREAMERS = (EMBEDDED, REDIS, WORKFLOW_STREAMS)


@dataclass(frozen=True)
class Heard:
    """Seconds from the model to a watcher: of each run's first token, and of all. `events` are those of a history."""

    contestant: Contestant
    first: Sequence[float]
    every: Sequence[float]
    events: int


@dataclass(frozen=True)
class Streams:
    heard: Sequence[Heard]
    at_once: int
    server_version: str


async def hear_streams(
    at_once: int = AT_ONCE, *, progress: Callable[[str], None], streamers: Sequence[Contestant] = STREAMERS
) -> Streams:
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as folder, ExitStack() as opened:
        state = Path(folder)
        if REDIS in streamers:
            program = find_server()
            if program is None:
                progress("There is no Redis or Valkey server on this machine; it is left out.")
                streamers = [each for each in streamers if each is not REDIS]
            else:
                os.environ[speaking.URL] = opened.enter_context(serve_events(program))
        heard = []
        async with open_server(state) as server:
            for contestant in streamers:
                async with start(contestant, server.address, state) as process:
                    await process.ready()
                    await _hear(contestant, server, state, 2)  # warms up
                    found = await _hear(contestant, server, state, at_once)
                progress(f"{contestant.name}: {len(found.every)} tokens.")
                heard.append(found)
            return Streams(heard, at_once, server.version)


async def _hear(contestant: Contestant, server: Server, state: Path, at_once: int) -> Heard:
    runs = await asyncio.gather(*(_run(contestant, server, state) for _ in range(at_once)))
    histories = [events for _, events in runs]
    return Heard(
        contestant,
        first=[late[0] for late, _ in runs],
        every=[each for late, _ in runs for each in late],
        events=sorted(histories)[len(histories) // 2],
    )


async def _run(contestant: Contestant, server: Server, state: Path) -> tuple[list[float], int]:
    assert contestant.job is not None  # noqa: S101 -- all of them have one
    identifier = f"{contestant.task_queue}-{uuid.uuid4().hex[:8]}"
    handle = await server.client.start_workflow(
        contestant.job.workflow, args=contestant.job.arguments, id=identifier, task_queue=contestant.task_queue
    )
    if contestant is WORKFLOW_STREAMS:
        late = await _polled(server, identifier)
    else:
        transport = speaking.embedded(state) if contestant is EMBEDDED else speaking.server()
        late = await _followed(server, identifier, contestant, transport)
    await handle.result()
    if len(late) != speaking.TOKENS:
        raise ValueError(f"{contestant.name!r}: {len(late)} tokens of {speaking.TOKENS} were heard.")
    return late, len((await handle.fetch_history()).events)


async def _followed(server: Server, identifier: str, contestant: Contestant, transport: EventTransport) -> list[float]:
    target = Target(server.address, "default", "the benchmark")
    run = Run(identifier, server.client, target, contestant.task_queue, transport=transport)
    async with aclosing(run.events()) as events:
        return [time.time() - float(event.text) async for event in events if isinstance(event, TokenEvent)]


async def _polled(server: Server, identifier: str) -> list[float]:
    late: list[float] = []
    stream = WorkflowStreamClient.create(server.client, identifier)
    async for item in stream.subscribe([speaking.TOPIC], result_type=str):
        late.append(time.time() - float(item.data))
        if len(late) == speaking.TOKENS:
            break
    return late
