"""A long conversation is summarised between two turns, and nothing of it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware, after_agent
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, RemoveMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from pydantic import Field
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from activities.queries import ask
from agents import Agent, Compaction, Resources, StepOptions
from agents.errors import StorageMismatch
from temporal.client import Agents
from temporal.garbage import collect
from temporal.replay import scheduled
from temporal.settings import InvalidSettings
from temporal.target import Target
from temporal.threads import Said, Thread
from tests.integration.conftest import PATIENCE, Bench, steps
from tests.integration.threads import PAUSE, Gate, Strict, Talk, begin
from workflows.turns import Conversation

AT_ONCE = timedelta(0)
BRIEF = Compaction(tokens=150, keep=2, prompt="Sum up: {messages}", model="summariser")


class Summarising(Strict):
    """Counts a token a character. A summary says how long what it stands for was, and how it began."""

    summarised: list[str] = Field(default_factory=list)
    failures: list[str] = Field(default_factory=list)
    slow: bool = False

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        if messages[-1].text.startswith("Sum up: "):
            if self.failures:
                raise ValueError(self.failures.pop(0))
            self.summarised.append(messages[-1].text)
            summary = f"summary {len(self.summarised)}"
            return AIMessage(summary, usage_metadata={"input_tokens": 1000, "output_tokens": 1, "total_tokens": 1001})
        refuse_results_of_nothing(messages)
        answer = super()._answer(messages)
        used = sum(len(message.text) for message in messages)
        answer.usage_metadata = {"input_tokens": used, "output_tokens": 0, "total_tokens": used}
        return answer

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **options: Any) -> ChatResult:
        result = await super()._agenerate(messages, *args, **options)
        while self.slow:
            await asyncio.sleep(PAUSE)
        return result

    def _stream(self, messages: list[BaseMessage], *_args: Any, **_options: Any) -> Iterator[ChatGenerationChunk]:
        answer = self._answer(messages)
        chunk = AIMessageChunk(answer.text, tool_calls=answer.tool_calls, usage_metadata=answer.usage_metadata)
        yield ChatGenerationChunk(message=chunk)


def refuse_results_of_nothing(messages: list[BaseMessage]) -> None:
    """As providers do: the call of a tool comes before its result."""
    called: set[str | None] = set()
    for message in messages:
        called |= {each["id"] for each in getattr(message, "tool_calls", [])}
        if isinstance(message, ToolMessage) and message.tool_call_id not in called:
            raise AssertionError(f"400: nothing has called {message.tool_call_id}.")


def compacting(*tools: Any, compaction: Compaction = BRIEF, middleware: Any = ()) -> Agent:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools, system_prompt="Be kind.", middleware=middleware)

    attempts = StepOptions(attempts=1)
    return Agent("worker", build, tools=tools, compaction=compaction, model_step=attempts)


def thread_of(made: Bench, talk: Talk) -> Thread:
    agents = Agents(made.client, Target("the test's", "default", "the test"), made.settings.task_queue)
    return Thread(agents, talk.handle.id)


def shown(conversation: list[Said]) -> list[str]:
    return [f"{said.kind}: {said.message.text}" for said in conversation]


LONG = "long " * 19 + "ago?!"
"""A hundred characters: two of them are over the budget, one is not."""


async def talked(talk: Talk, *given: str, pages: int = 0) -> list[dict[str, Any]]:
    """The turns, once there are so many pages: a turn is over before the conversation is made shorter."""
    turns = [await talk.say(each) for each in given]
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while len((await ask(talk.handle, "messages", Conversation)).pages) < pages:
            await asyncio.sleep(PAUSE)
    return turns


async def begun(model: Summarising) -> None:
    """Once a summary is being written."""
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while not model.summarised:
            await asyncio.sleep(PAUSE)


async def test_a_long_conversation_becomes_short_and_stays_readable(bench, storing, cached_workflows) -> None:
    made = bench(compacting(), Summarising(), on=storing, cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        before = await thread_of(made, talk).messages()
        await talked(talk, LONG, "two", pages=1)
        await talked(talk, "three")
        state = (await talk.handle.query("state"))["values"]["messages"]
        read = await thread_of(made, talk).messages()
        await talked(talk, "four")
        result = await talk.close()
        after_its_end = await thread_of(made, talk).messages()

    [history] = await talk.histories()
    assert before == []
    assert made.model.summarised == [
        f'Sum up: <message type="human">{LONG}</message>\n<message type="ai">2: {LONG}</message>'
    ]
    assert [message["content"] for message in state[:1]] == [
        "Here is a summary of the conversation to date:\n\nsummary 1"
    ]
    assert shown(read) == [
        f"compacted: {LONG}",
        f"compacted: 2: {LONG}",
        "summary: Here is a summary of the conversation to date:\n\nsummary 1",
        "said: two",
        "said: 4: two",
        "said: three",
        "said: 5: three",
    ]
    assert made.model.heard[-1][:3] == ["Be kind.", read[2].message.text, "two"]
    assert [said.message for said in after_its_end[:5]] == [said.message for said in read[:5]]
    assert steps(history) == ["call_model", "call_model", "compact", "call_model", "call_model"]
    assert result["usage"]["model_calls"] == 5
    assert result["usage"]["input_tokens"] > 1000


async def test_the_original_is_read_over_many_summaries_and_executions(bench, storing, cached_workflows) -> None:
    made = bench(compacting(), Summarising(), on=storing, cached=cached_workflows)
    given = [f"{number} {LONG}" for number in range(8)]

    async with made.worker():
        talk = await begin(made, events=1)
        told = await talked(talk, *given, pages=7)
    async with made.worker():
        again = await thread_of(made, talk).messages()
        await talk.close()

    said = [each.message.text for each in again if each.kind != "summary"]
    assert said == [text for each, turn in zip(given, told, strict=True) for text in (each, turn["output"])]
    assert len({each.message.id for each in again}) == len(again) == 2 * 8 + 1
    assert [each.kind for each in again].count("compacted") == 2 * 7
    assert len(made.model.summarised) > 3
    assert all("summary" in summarised for summarised in made.model.summarised[1:])
    histories = await talk.histories()
    sizes = [len(given[0]) for history in histories for name, given in scheduled(history) if name == "compact"]
    assert len(histories) > 1
    assert max(sizes) < 300  # their messages are longer


async def test_calls_and_results_stay_together(bench, storing) -> None:
    @tool
    def look() -> str:
        """Look."""
        return "seen"

    made = bench(compacting(look, compaction=replace(BRIEF, tokens=1)), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        turns = await talked(talk, "one", "use look look then look", "use look", "use look look", "two", pages=3)
        conversation = await thread_of(made, talk).messages()
        await talk.close()

    await talk.histories()
    assert [turn["status"] for turn in turns] == ["done"] * 5
    assert [turn.get("note") for turn in turns] == [None] * 5
    assert len(made.model.summarised) > 2
    assert [each.message.text for each in conversation].count("seen") == 6


async def test_a_summary_that_fails_is_told_and_tried_again(bench, storing) -> None:
    made = bench(compacting(), Summarising(failures=["No ink."]), on=storing)

    async with made.worker():
        talk = await begin(made)
        _, second = await talked(talk, LONG, "two")
        [third] = await talked(talk, "three", pages=1)
        kept = await talk.turns()
        conversation = await thread_of(made, talk).messages()
        await talk.close()

    await talk.histories()
    assert (second["status"], third["status"], third["output"]) == ("done", "done", "6: three")
    assert "The conversation was not compacted: " in kept[1]["note"]
    assert "No ink." in kept[1]["note"]
    assert "note" not in kept[2]
    assert [said.kind for said in conversation] == ["compacted"] * 4 + ["summary"] + ["said"] * 2


async def test_the_built_in_model_is_no_summariser(bench, storing) -> None:
    made = bench(compacting(compaction=replace(BRIEF, model="extractive")), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        await talked(talk, LONG, "two")
        third = await talk.say("three")
        [_, second, _] = await talk.turns()
        await talk.close()

    await talk.histories()
    assert "UnknownModel: No language model is configured" in second["note"]
    assert third["output"] == "6: three"
    assert made.model.summarised == []


async def test_what_is_compacted_is_not_sent_again(bench, storing) -> None:
    made = bench(compacting(compaction=replace(BRIEF, tokens=30_000)), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        await talked(talk, *[f"{number} {'x' * 20_000}" for number in range(6)], pages=5)
        await talk.close()

    [history] = await talk.histories()
    sizes = [len(given[0]) for name, given in scheduled(history) if name == "compact"]
    assert len(sizes) == 5
    assert max(sizes) < 300


async def test_a_new_worker_finds_what_is_to_be_summarised(bench, storing) -> None:
    """Its transcripts are empty: it asks the workflow."""
    gate = Gate()
    made = bench(compacting(gate.tool), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        await talked(talk, "one", LONG)
    async with made.worker():
        await talked(talk, "three", pages=1)
        read = shown(await thread_of(made, talk).messages())
        await talk.close()

    assert read[:4] == ["compacted: one", "compacted: 2: one", f"compacted: {LONG}", f"compacted: 4: {LONG}"]
    await talk.histories()


async def test_a_turn_that_comes_meanwhile_waits_for_the_shorter_conversation(bench, storing) -> None:
    made = bench(compacting(), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        sent = [await talk.send(each) for each in (LONG, "two", "three")]
        turns = [await talk.wait(turn["id"]) for turn in sent]
        await talk.close()

    await talk.histories()
    assert turns[-1]["output"] == "5: three"


async def test_a_rolled_back_turn_leaves_the_summary(bench, storing) -> None:
    gate = Gate()
    made = bench(compacting(gate.tool), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        await talked(talk, LONG, "two")
        running = await talk.send("use stay")
        await gate.reached()
        last = await talk.say("three", policy="rollback")
        conversation = await thread_of(made, talk).messages()
        states = {turn["id"]: turn["status"] for turn in await talk.turns()}
        gate.open()
        await talk.close()

    await talk.histories()
    assert states[running["id"]] == "rolled_back"
    assert last["output"] == "5: three"
    assert [said.kind for said in conversation][:4] == ["compacted", "compacted", "summary", "said"]


async def test_what_was_said_in_a_turn_that_was_stopped_is_summarised_as_well(bench, storing) -> None:
    gate = Gate()
    made = bench(compacting(gate.tool), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        await talked(talk, "one", "two")
        running = await talk.send(f"use stay then {LONG} {LONG}")
        await gate.reached()
        await talk.handle.execute_update("interrupt")
        await talked(talk, pages=1)
        stopped = await talk.wait(running["id"])
        conversation = await thread_of(made, talk).messages()
        last = await talk.say("three")
        gate.open()
        await talk.close()

    await talk.histories()
    assert (stopped["status"], last["status"]) == ("interrupted", "done")
    assert [said.kind for said in conversation] == ["compacted"] * 5 + ["summary"] + ["said"] * 2
    assert [said.message.type for said in conversation[-2:]] == ["ai", "tool"]


async def test_a_thread_can_be_cancelled_while_it_is_summarised(bench, storing) -> None:
    model = Summarising(slow=True)
    made = bench(compacting(), model, on=storing)

    async with made.worker():
        talk = await begin(made)
        await talked(talk, LONG, "two")
        await begun(model)
        await talk.handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await talk.handle.result()

    await talk.histories()
    assert isinstance(caught.value.cause, CancelledError)


async def test_the_collector_leaves_what_a_living_thread_points_to(bench, storing) -> None:
    made = bench(compacting(), Summarising(), on=storing)
    [driver] = storing.data_converter.external_storage.drivers

    async with made.worker():
        talk = await begin(made)
        await talked(talk, LONG, "two", pages=1)
        living = await collect(driver.blobs, storing, closed_for=AT_ONCE, fresh=AT_ONCE)
        read = shown(await thread_of(made, talk).messages())
        await talk.close()
        ended = await collect(driver.blobs, storing, closed_for=AT_ONCE, fresh=AT_ONCE)

    assert read[0] == f"compacted: {LONG}"
    assert (living.removed.objects, living.kept.objects) == (0, 1)
    assert (ended.removed.objects, ended.kept.objects) == (1, 0)


async def test_a_thread_that_was_woken_has_its_pages(bench, storing) -> None:
    made = bench(compacting(), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        await talked(talk, LONG, "two", pages=1)
        await talk.close()
        thread = thread_of(made, talk)
        turn = await thread.send("three")
        read = shown(await thread.messages())
        await thread.close()

    assert turn.output == "5: three"
    assert read[:2] == [f"compacted: {LONG}", f"compacted: 2: {LONG}"]


async def test_a_client_without_the_storage_says_so(bench, storing, client) -> None:
    made = bench(compacting(), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        await talked(talk, LONG, "two", pages=1)
        with pytest.raises(StorageMismatch, match="PERDURE_STORAGE__URL"):
            await replace(thread_of(made, talk), agents=Agents(client, Target("", "default", ""), "")).messages()
        await talk.close()


def test_a_worker_without_a_storage_is_refused(bench) -> None:
    with pytest.raises(InvalidSettings, match="Agent 'worker' has a `compaction`"):
        bench(compacting(), Summarising()).worker()


async def test_a_summary_of_langchain_s_own_middleware_goes_along(bench, storing) -> None:
    """It is made in a turn, before a model is called, and the original is gone then."""

    def build(resources: Resources) -> Any:
        middleware = SummarizationMiddleware(
            resources.model(), trigger=("messages", 3), keep=("messages", 1), summary_prompt="Sum up: {messages}"
        )
        return create_agent(resources.model(), resources.tools, middleware=[middleware])

    made = bench(Agent("worker", build, compaction=replace(BRIEF, tokens=10_000)), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        turns = await talked(talk, "one", "two")
        kinds = [said.kind for said in await thread_of(made, talk).messages()]
        await talk.close()

    await talk.histories()
    assert [turn["status"] for turn in turns] == ["done", "done"]
    assert len(made.model.summarised) == 1
    assert kinds == ["said"] * 3


async def test_what_was_compacted_stays_readable_when_the_graph_drops_the_summary(bench, storing) -> None:
    @after_agent
    def forget(state: Any, _runtime: Any) -> dict[str, Any] | None:
        dropped = [each for each in state["messages"] if str(each.id).startswith("perdure-summary")]
        return {"messages": [RemoveMessage(each.id) for each in dropped]} if dropped else None

    made = bench(compacting(middleware=[forget]), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        await talked(talk, LONG, "two", pages=1)
        await talk.say("three")
        read = shown(await thread_of(made, talk).messages())
        await talk.close()

    assert read[:2] == [f"compacted: {LONG}", f"compacted: 2: {LONG}"]
    assert read[2:] == ["said: two", "said: 4: two", "said: three", "said: 5: three"]


async def test_a_thread_that_is_rewound_has_no_more_pages_than_it_had_then(bench, storing) -> None:
    made = bench(compacting(), Summarising(), on=storing)

    async with made.worker():
        talk = await begin(made)
        await talk.say("one", id="one")
        await talk.say(LONG, id="long")
        await talked(talk, "three", pages=1)
        await talk.handle.execute_update("rewind", {"turn": "long"})
        rewound = shown(await thread_of(made, talk).messages())
        await talked(talk, LONG, "three", pages=1)
        again = shown(await thread_of(made, talk).messages())
        await talk.close()

    await talk.histories()
    assert rewound == ["said: one", "said: 2: one"]
    assert [each.partition(":")[0] for each in again] == ["compacted"] * 4 + ["summary"] + ["said"] * 2
    assert again[:2] == ["compacted: one", "compacted: 2: one"]


async def test_a_rewind_while_a_summary_is_written_is_not_undone_by_it(bench, storing) -> None:
    model = Summarising(slow=True)
    made = bench(compacting(), model, on=storing)

    async with made.worker():
        talk = await begin(made)
        await talk.say("one", id="one")
        await talk.say(LONG, id="long")
        await talk.say("x" * 60, id="last")
        await begun(model)
        await talk.handle.execute_update("rewind", {"turn": "long"})
        model.slow = False
        await talk.say("four")
        conversation = shown(await thread_of(made, talk).messages())
        await talk.close()

    await talk.histories()
    assert conversation == ["said: one", "said: 2: one", "said: four", "said: 4: four"]


async def test_a_fork_has_pages_of_its_own(bench, storing) -> None:
    made = bench(compacting(), Summarising(), on=storing)
    [driver] = storing.data_converter.external_storage.drivers

    async with made.worker():
        talk = await begin(made)
        await talked(talk, LONG, "two", pages=1)
        thread = thread_of(made, talk)
        fork = await thread.agents.fork(thread.id)
        await talk.close()
        await collect(driver.blobs, storing, closed_for=AT_ONCE, fresh=AT_ONCE)
        forked = await thread.agents.find_thread(fork.id)
        read = shown(await forked.messages())
        await forked.close()

    assert read[:2] == [f"compacted: {LONG}", f"compacted: 2: {LONG}"]
