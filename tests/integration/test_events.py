"""What a run tells its watchers, over each transport."""

from __future__ import annotations

import asyncio
import operator
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import Field

from activities.event_log import EventLog
from activities.event_server import EventServer
from activities.events import (
    CustomEvent,
    Event,
    EventSink,
    InterruptEvent,
    ResetEvent,
    ResultEvent,
    RunEvent,
    SnapshotEvent,
    StepEvent,
    TaskEvent,
    TokenEvent,
    UpdateEvent,
    UsageEvent,
    ValuesEvent,
    decoded,
)
from activities.publishing import EventTransport, NoTransport
from agents import Agent, Resources, durable
from agents.errors import ProviderRefused, ServiceUnavailable
from agents.testing import ScriptedModel, call
from temporal.client import Agents, Run
from temporal.target import Target
from temporal.writing import Writing
from tests.integration.cases import add, agent_with
from tests.integration.conftest import Bench
from tests.integration.event_server import serve_events

PATIENCE = 60.0
ADDING = [call("add", a=1, b=2), AIMessage("It makes three.")]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve_events() as url:
        yield url


@pytest.fixture(params=["embedded", "redis"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> EventTransport:
    if request.param == "embedded":
        return EventLog(tmp_path / "events.db")
    url = request.getfixturevalue("server")
    return EventServer(url, prefix=f"test-{uuid.uuid4().hex[:8]}:", keep=600)


@pytest.fixture
def published(bench, transport: EventTransport) -> Iterator[Any]:
    """Makes benches whose workers publish to the transport."""
    with transport.publishing() as sink:

        def make(agent: Agent, script: list[Any], **options: Any) -> Bench:
            made = bench(agent, ScriptedModel(script=script), **options)
            made.events = sink
            return made

        yield make


def agents_of(bench: Bench, transport: EventTransport | None) -> Agents:
    return Agents(bench.client, Target("test", "default", "a test"), bench.settings.task_queue, transport)


async def heard(run: Run, after: str | None = None, **options: Any) -> list[Event]:
    async with asyncio.timeout(PATIENCE), aclosing(run.events(after, **options)) as events:
        return [event async for event in events]


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_a_watcher_hears_the_run_its_steps_tokens_updates_usage_and_result(published, transport) -> None:
    made = published(agent_with(add), ADDING)

    async with made.worker():
        run = await agents_of(made, transport).start("worker", "1 + 2?")
        events = await heard(run)

    told = [event for event in events if event.attempt is None]
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    assert isinstance(events[0], RunEvent)
    assert events[0].agent == "worker"
    assert [(event.activity, event.state) for event in of(StepEvent, events) if event.attempt is None] == [
        (name, state) for name in ("call_model", "add", "call_model") for state in ("scheduled", "completed")
    ]
    assert [event.activity for event in of(StepEvent, events) if event.state == "started"] == [
        "call_model",
        "add",
        "call_model",
    ]
    assert [event.node for event in of(UpdateEvent, events)] == ["model", "tools", "model"]
    assert [(event.node, event.state) for event in of(TaskEvent, events)][:2] == [
        ("model", "started"),
        ("model", "finished"),
    ]
    assert [event.model_calls for event in of(UsageEvent, events)] == [1, 2]
    assert events[-1].output == "It makes three."
    assert len({event.id for event in events}) == len(events)


async def test_tokens_carry_the_id_of_the_message_that_they_become(published, transport) -> None:
    made = published(agent_with(add), ADDING)

    async with made.worker():
        run = await agents_of(made, transport).start("worker", "1 + 2?")
        events = await heard(run)

    first, *_, last = of(TokenEvent, events)
    messages = [message for event in of(UpdateEvent, events) for message in event.value["messages"]]
    assert first.tool_calls[0]["name"] == "add"
    assert (first.message, last.message) == (messages[0]["id"], messages[-1]["id"])
    writing = Writing()
    for event in events:
        if not isinstance(event, UpdateEvent):
            writing.apply(event)
    assert writing.text == events[-1].output


class State(TypedDict):
    said: Annotated[list[str], operator.add]


def pausing() -> Agent:
    """Writes, asks, and runs a subgraph that writes."""

    def inner(_state: State) -> dict[str, Any]:
        get_stream_writer()({"inside": True})
        return {"said": ["inner"]}

    def ask(_state: State) -> dict[str, Any]:
        get_stream_writer()({"outside": True})
        return {"said": [interrupt("Go on?")]}

    def build(_resources: Resources) -> StateGraph[Any, Any, Any, Any]:
        small: StateGraph[Any, Any, Any, Any] = StateGraph(State)
        small.add_node("inner", inner)
        small.add_edge(START, "inner")
        graph: StateGraph[Any, Any, Any, Any] = StateGraph(State)
        graph.add_node("sub", small.compile())
        graph.add_node("ask", ask)
        graph.add_edge(START, "sub")
        graph.add_edge("sub", "ask")
        return graph

    return Agent("pausing", build)


async def asked(run: Run) -> str:
    while not (waiting := await run.questions()):
        await asyncio.sleep(0.05)
    return waiting[0].id


async def answer(run: Run, identifier: str, value: Any) -> None:
    await run.client.get_workflow_handle(run.id).execute_update("answer", args=[identifier, value])


async def test_subgraphs_writers_and_interrupts_are_told_with_their_namespace(published, transport) -> None:
    made = published(pausing(), [])

    async with made.worker():
        run = await agents_of(made, transport).start("pausing", {"said": []})
        watching = asyncio.create_task(heard(run))
        identifier = await asked(run)
        await answer(run, identifier, "yes")
        events = await watching

    assert [(event.value, len(event.namespace)) for event in of(CustomEvent, events)] == [
        ({"inside": True}, 1),
        ({"outside": True}, 0),
        ({"outside": True}, 0),
    ]
    assert of(InterruptEvent, events)[0].interrupt == identifier
    assert [(event.node, len(event.namespace)) for event in of(UpdateEvent, events)] == [
        ("inner", 1),
        ("sub", 0),
        ("ask", 0),
    ]


async def test_a_tool_is_heard_while_it_runs_and_once(published, transport) -> None:
    heard_half = asyncio.Event()

    @durable(effect="read")
    @tool
    async def dig() -> str:
        """Digs."""
        get_stream_writer()("half way")
        await asyncio.wait_for(heard_half.wait(), PATIENCE)
        return "dug"

    made = published(agent_with(dig), [call("dig"), AIMessage("Dug.")])

    async with made.worker():
        run = await agents_of(made, transport).start("worker", "Dig!")
        customs = []
        async with asyncio.timeout(PATIENCE), aclosing(run.events()) as events:
            async for event in events:
                if isinstance(event, CustomEvent):
                    customs.append((event.value, event.attempt))
                    heard_half.set()

    assert customs == [("half way", 1)]


async def test_the_state_is_told_after_each_update_to_who_asks_for_it(published, transport) -> None:
    made = published(agent_with(add), ADDING, cached=100)

    async with made.worker():
        run = await agents_of(made, transport).start("worker", "1 + 2?")
        events = await heard(run, values=True)

    states = of(ValuesEvent, events)
    assert len(states) >= 3
    assert [message["content"] for message in states[-1].value["messages"]][-1] == "It makes three."


async def test_a_call_that_is_tried_again_takes_back_what_it_has_said(published, transport) -> None:
    made = published(agent_with(), [])
    made.model = Stumbling(script=[AIMessage("The whole answer.")])

    async with made.worker():
        run = await agents_of(made, transport).start("worker", "Speak.")
        events = await heard(run)

    assert [(event.attempt, event.sequence) for event in of(ResetEvent, events)] == [(2, 1)]
    writing = Writing()
    for event in events:
        if not isinstance(event, UpdateEvent):
            writing.apply(event)
    assert writing.messages.popitem()[1] == "The whole answer." == events[-1].output
    assert not writing.messages


class Stumbling(ScriptedModel):
    """Breaks off in the middle of its first answer."""

    stumbled: list[bool] = Field(default_factory=list)

    async def _astream(self, *_args: Any, **_options: Any) -> AsyncIterator[Any]:
        for word in ("The ", "whole ", "answer."):
            yield ChatGenerationChunk(message=AIMessageChunk(word))
            if not self.stumbled:
                self.stumbled.append(True)
                raise ServiceUnavailable("It broke off.")


async def test_who_comes_back_hears_all_that_it_has_not_heard(published, transport) -> None:
    made = published(agent_with(add), ADDING)

    async with made.worker():
        run = await agents_of(made, transport).start("worker", "1 + 2?")
        whole = await heard(run)

    for place, event in enumerate(whole[:-1]):
        assert await heard(run, after=event.id) == whole[place + 1 :]


async def test_who_comes_late_hears_the_state_so_far_and_the_rest(published) -> None:
    """Where nothing of the stream is kept any more."""
    made = published(pausing(), [])

    async with made.worker():
        run = await agents_of(made, NoTransport()).start("pausing", {"said": []})
        identifier = await asked(run)
        watching = asyncio.create_task(heard(run))
        await asyncio.wait({watching}, timeout=0.1)
        await answer(run, identifier, "yes")
        events = await watching

    assert isinstance(events[0], SnapshotEvent | RunEvent)
    numbers = [event.sequence for event in events if event.sequence]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert isinstance(events[-1], ResultEvent)
    assert events[-1].output == {"said": ["inner", "yes"]}


async def test_a_run_that_fails_ends_with_the_reason(published, transport) -> None:
    made = published(agent_with(), [])
    made.model = Failing(script=[])

    async with made.worker():
        run = await agents_of(made, transport).start("worker", "Speak.")
        events = await heard(run)

    assert events[-1].type == "result"
    assert events[-1].status == "failed"
    assert "ProviderRefused" in events[-1].error


class Failing(ScriptedModel):
    async def _astream(self, *_args: Any, **_options: Any) -> AsyncIterator[Any]:
        raise ProviderRefused("No.")
        yield


async def test_watchers_add_nothing_to_the_history(published, transport) -> None:
    """Ten runs with fifty watchers, beside ten with none."""
    made = published(agent_with(add), ADDING, cached=100)
    agents = agents_of(made, transport)

    async def run_all(watchers: int) -> list[list[str]]:
        runs = [await agents.start("worker", "1 + 2?") for _ in range(10)]
        watching = [heard(runs[number % 10]) for number in range(watchers)]
        await asyncio.gather(*watching, *(run.result() for run in runs))
        handles = [made.client.get_workflow_handle(run.id) for run in runs]
        histories = [await handle.fetch_history() for handle in handles]
        return sorted([str(event.event_type) for event in history.events] for history in histories)

    async with made.worker():
        assert await run_all(50) == await run_all(0)


class Lossy:
    """Loses what a worker may take along when it dies: here each second event, and the result."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink

    def publish(self, run: str, event: bytes) -> None:
        told = decoded(event)
        if told is not None and told.sequence % 2 and told.type != "result":
            self._sink.publish(run, event)


async def test_who_comes_when_the_beginning_is_lost_hears_the_state_and_the_result(published, transport) -> None:
    made = published(agent_with(add), ADDING)
    made.events = Late(made.events)

    async with made.worker():
        run = await agents_of(made, transport).start("worker", "1 + 2?")
        await run.result()
        events = [event for event in await heard(run) if event.attempt is None]

    assert [event.type for event in events] == ["snapshot", "result"]
    assert events[0].value["messages"][-1]["content"] == events[1].output
    assert events[0].usage["model_calls"] == 2


class Late(Lossy):
    """Has lost the beginning."""

    def publish(self, run: str, event: bytes) -> None:
        told = decoded(event)
        if told is not None and told.sequence > 3:
            self._sink.publish(run, event)


async def test_who_has_begun_to_listen_misses_nothing_that_the_stream_loses(published, transport) -> None:
    made = published(pausing(), [])
    made.events = Lossy(made.events)

    async with made.worker():
        run = await agents_of(made, transport).start("pausing", {"said": []})
        watching = asyncio.create_task(heard(run))
        await answer(run, await asked(run), "yes")
        events = await watching

    numbers = [event.sequence for event in events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert events[-1].type == "result"


async def test_who_listens_slowly_holds_nobody_up_and_hears_all(published, transport) -> None:
    made = published(agent_with(add), ADDING)

    async with made.worker():
        run = await agents_of(made, transport).start("worker", "1 + 2?")
        async with asyncio.timeout(PATIENCE), aclosing(run.events()) as events:
            slowly = [await anext(events)]
            await run.result()
            slowly += [event async for event in events]
        assert [event.sequence for event in slowly] == [event.sequence for event in await heard(run)]


async def test_an_id_that_was_used_before_tells_only_of_its_last_run(published, transport) -> None:
    made = published(agent_with(add), ADDING)

    async with made.worker():
        for question in ("1 + 2?", "And again?"):
            handle = await made.start(question, run_id=f"again-{made.settings.task_queue}")
            await handle.result()
        events = await heard(await agents_of(made, transport).find(handle.id))

    execution = (await handle.describe()).run_id
    assert [event.execution for event in events if isinstance(event, RunEvent | ResultEvent)] == [execution] * 2


async def test_the_turns_of_a_thread_are_told_with_their_results(published, transport) -> None:
    made = published(agent_with(), [AIMessage("One."), AIMessage("Two.")])

    async with made.worker():
        agents = agents_of(made, transport)
        thread = agents.thread("worker", f"thread-{uuid.uuid4().hex[:8]}")
        turns = [await thread.send("First?"), await thread.send("Second?")]
        await thread.close()
        events = await heard(await agents.find(thread.id))

    results = of(ResultEvent, events)
    assert [(event.turn, event.output) for event in results[:-1]] == [(turn.id, turn.output) for turn in turns]
    assert (results[-1].turn, results[-1].status) == (None, "completed")
    assert {event.turn for event in of(UpdateEvent, events)} == {turn.id for turn in turns}
