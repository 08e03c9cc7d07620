"""A tool's body finds in a process of its own what it finds in the worker, and takes nothing down but that process."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.store.memory import InMemoryStore
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import late
from activities.bodies import Bodies
from activities.heartbeats import REPORTED
from activities.processes import ToolProcesses
from activities.servant import reference_of
from activities.store import Stores
from activities.tool import MovedMessages, RuntimeData, ToolCalls, ToolRequest, ToolResponse
from activities.transcript import TranscriptCache, TranscriptPart
from activities.wire import encode
from agents import Agent, Registry
from agents.errors import ToolProcessDied, ToolQuarantined, ToolTimedOut
from tests.isolated import Money, agent

MINUTE = timedelta(minutes=1)


class Worker:
    """Calls the tools of one agent as a worker does, without a server."""

    def __init__(self, bodies: Bodies, store: InMemoryStore, isolated: Agent = agent) -> None:
        calls = ToolCalls(
            registry=Registry.of([isolated]),
            transcripts=TranscriptCache(),
            bodies=bodies,
            store_of=lambda _agent, _scope: store,
        )
        self._activities = dict(zip(sorted(tool.name for tool in isolated.tools), calls.activities(), strict=True))
        self.beats: list[Any] = []

    async def call(
        self, name: str, /, *, attempt: int = 1, limit: timedelta = MINUTE, request: Any = None, **arguments: Any
    ) -> ToolResponse:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, start_to_close_timeout=limit, attempt=attempt)
        environment.on_heartbeat = lambda *details: self.beats.append(details)
        sent = ToolRequest(agent="isolated", tool=name, arguments=encode(arguments), **(request or {}))
        given = ToolRequest.model_validate_json(sent.model_dump_json())
        return await environment.run(self._activities[name], given)


@asynccontextmanager
async def opened(most: int = 8) -> AsyncIterator[Worker]:
    store = InMemoryStore()
    stores = Stores(registry=Registry.of([agent]), make=lambda _types, _root: store)
    bodies = Bodies(ToolProcesses(most=most, entry="temporal.tool_process", store=stores.store))
    async with bodies.open():
        yield Worker(bodies, store)


@pytest.fixture(scope="module")
async def worker() -> AsyncIterator[Worker]:
    async with opened() as made:
        yield made


def is_alive(pid: int) -> bool:
    """A zombie is not, and it is not always at once that somebody buries it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def test_calls_share_a_process_that_is_not_the_workers(worker) -> None:
    first, second = await worker.call("where"), await worker.call("where")

    assert first.value == second.value != os.getpid()


async def test_calls_at_once_have_a_process_each(worker, tmp_path) -> None:
    hanging = [asyncio.create_task(worker.call("hang", folder=str(tmp_path), name=f"hang-{n}")) for n in range(3)]
    await until(lambda: len(list(tmp_path.glob("hang-?"))) == 3)
    other = (await worker.call("where")).value
    (tmp_path / "go").touch()
    await asyncio.gather(*hanging)

    pids = {int(file.read_text().split()[0]) for file in tmp_path.glob("hang-?")}
    assert len({*pids, other}) == 4


async def test_more_calls_than_there_may_be_processes_wait(tmp_path) -> None:
    async with opened(most=1) as worker:
        hanging = asyncio.create_task(worker.call("hang", folder=str(tmp_path), name="hang"))
        await until((tmp_path / "hang").exists)
        waiting = asyncio.create_task(worker.call("where"))
        (tmp_path / "go").touch()
        done = [(await each).value for each in asyncio.as_completed([hanging, waiting])]

    assert done == ["never", int((tmp_path / "hang").read_text().split()[0])]


async def test_types_keep_across_the_process(worker) -> None:
    assert (await worker.call("spend", money=Money(amount=3))).value == encode(Money(amount=2))


async def test_the_runtime_the_conversation_and_the_activity_are_there(worker) -> None:
    moved = MovedMessages(path=["runtime", "messages"], transcript=TranscriptPart(tail=[HumanMessage("hi", id="1")]))
    response = await worker.call(
        "look",
        attempt=2,
        place="here",
        request={
            "call_id": "call-1",
            "runtime": {"runtime": RuntimeData(state={"messages": None})},
            "messages": [moved],
            "metadata": {"langgraph_node": "tools"},
        },
    )

    assert response.value == {"messages": ["hi"], "call": "call-1", "thread": True, "attempt": 2, "tags": "tools"}
    assert response.written == [{"looked": "here"}]
    assert worker.beats == [("looking",)]


async def test_the_store_is_the_workers(worker) -> None:
    runtime = {"runtime": {"runtime": RuntimeData(state=None)}}
    await worker.call("remember", key="k", request=runtime)
    response = await worker.call("remember", key="k", request=runtime)

    assert response.value == encode(Money(amount=2))


async def test_questions_refusals_and_failures_come_back(worker) -> None:
    asked = await worker.call("confirm", action="pay")
    answered = await worker.call("confirm", action="pay", request={"answers": ["yes"]})
    refused = await worker.call("refuse", reason="not today")
    with pytest.raises(ApplicationError, match="no") as caught:
        await worker.call("fail", reason="no")

    assert (asked.kind, asked.value) == ("interrupt", {"confirm": "pay"})
    assert answered.value == "pay: yes"
    assert (refused.kind, refused.value) == ("error", "not today")
    assert caught.value.type == "ZeroDivisionError"
    assert caught.value.details[0]["origin"] == "builtins:ZeroDivisionError"
    assert "in fail" in str(caught.value.failure.stack_trace)


async def test_an_exception_with_half_a_surrogate_pair_is_told_as_well(worker) -> None:
    with pytest.raises(ApplicationError, match=r"half \\ud83d") as caught:
        await worker.call("fail", reason="half \ud83d")

    assert caught.value.type == "ZeroDivisionError"


async def test_an_asynchronous_tool_may_have_a_process_too(worker) -> None:
    response = await worker.call("answer", text="hello")

    assert response.value.startswith("hello from ")
    assert response.value != f"hello from {os.getpid()}"


async def test_a_cancelled_call_ends_its_process_and_what_it_started(worker, tmp_path) -> None:
    call = asyncio.create_task(worker.call("hang", folder=str(tmp_path), name="hang"))
    await until((tmp_path / "hang").exists)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    pids = [int(pid) for pid in (tmp_path / "hang").read_text().split()]
    await until(lambda: not any(map(is_alive, pids)))
    (tmp_path / "go").touch()
    assert (await worker.call("where")).value not in pids
    assert not (tmp_path / "hang-effect").exists()


async def test_a_call_that_takes_too_long_says_where_it_was(worker, tmp_path) -> None:
    await worker.call("where")
    with pytest.raises(ToolTimedOut, match=r"Tool 'hang' took longer than 5 s. It was at isolated.py:\d+ in hang."):
        await worker.call("hang", limit=timedelta(seconds=5), folder=str(tmp_path), name="hang")

    pids = [int(pid) for pid in (tmp_path / "hang").read_text().split()]
    await until(lambda: not any(map(is_alive, pids)))


@pytest.mark.parametrize(("way", "words"), [("exit", "ended itself with exit code 3"), ("segv", "ended by SIGSEGV")])
async def test_a_process_that_dies_is_an_error_that_names_the_tool(worker, tmp_path, way, words) -> None:
    with pytest.raises(ToolProcessDied, match=f"ran tool 'die' of agent 'isolated' (was )?{words}"):
        await worker.call("die", folder=str(tmp_path), way=way)
    with pytest.raises(ToolQuarantined, match=r"in attempt 3. It is not tried again."):
        await worker.call("die", attempt=3, folder=str(tmp_path), way=way)

    assert (await worker.call("where")).kind == "value"


def test_an_agent_is_found_by_its_name_in_a_module() -> None:
    assert reference_of(agent) == "tests.isolated:agent"
    assert reference_of(replace(agent)) is None


def test_a_place_that_a_tool_can_not_have_is_refused_when_the_worker_starts() -> None:
    @tool
    def add(a: int) -> int:
        """Add."""
        return a

    lost = Agent("shop", lambda _resources: None, tools=[add], isolation="process")  # type: ignore[arg-type, return-value]

    with pytest.raises(ValueError, match="tool 'add' is to run in a process, which can't find the agent"):
        Bodies().check(lost)
    with pytest.raises(ValueError, match="tool 'add' is synchronous and has no place on a loop"):
        Bodies().check(replace(lost, isolation={"add": "loop"}))


LOADED = """
from pathlib import Path

from langchain_core.tools import tool

from agents import Agent

Path(__file__).with_name("loaded").touch()


@tool
def act() -> str:
    "Act."
    return "done"


agent = Agent("isolated", lambda resources: None, tools=[act])
"""


async def test_a_process_has_loaded_the_agent_when_it_is_asked_whether_a_call_is_wanted(tmp_path, monkeypatch) -> None:
    class Wanted:
        async def is_awaited(self) -> bool:
            return (tmp_path / "loaded").exists()

        async def have_cancelled(self) -> bool:
            return False

    (tmp_path / "loaded_late.py").write_text(LOADED)
    monkeypatch.syspath_prepend(tmp_path)
    late_agent = importlib.import_module("loaded_late").agent
    (tmp_path / "loaded").unlink()
    context = copy_context()
    context.run(late._CALLERS.set, Wanted())
    context.run(REPORTED.set, Wanted())

    bodies = Bodies(ToolProcesses(most=1, entry="temporal.tool_process", store=None))
    async with bodies.open():
        call = Worker(bodies, InMemoryStore(), late_agent).call("act")
        response = await asyncio.create_task(call, context=context)

    assert response.value == "done"
