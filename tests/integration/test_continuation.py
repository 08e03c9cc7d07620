"""A run whose history grows long goes on in a new execution, and nobody can tell by its answer."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.channels import DeltaChannel
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore
from langgraph.types import Send, interrupt
from pydantic import BaseModel
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowHistory

from activities.event_log import EventLog
from agents import Agent, Resources, durable, idempotency_key
from agents.testing import ScriptedModel, call, run_live
from temporal.client import Agents
from temporal.converter import data_converter, payload_limits
from temporal.progress import watch_steps
from temporal.replay import replay_strictly
from temporal.storage import StorageLocation
from temporal.target import Target
from tests.integration.cases import add, agent_with, confirm
from tests.integration.chat import BYE, RULES, Looking, Talk, characters, chatting, texts
from tests.integration.conftest import Bench, impatient_client, steps
from tests.integration.test_agent_workflow import failure_of, questions_of
from tests.integration.test_effects import Till, tool_node
from tests.integration.test_questions import refused, telling
from tests.integration.test_unknown_outcomes import Listening

LONG = 60
"""Events after which this module's server suggests to continue as new; by itself it would after 4,096."""


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with impatient_client(tmp_path_factory.mktemp("impatient"), events=LONG) as client:
        yield client


@pytest.fixture
async def storing(client: Client, tmp_path: Path) -> Client:
    """A client of the same server that keeps large payloads in a folder."""
    converter = data_converter(StorageLocation("a folder", tmp_path / "storage"), "default")
    return await Client.connect(client.service_client.config.target_host, data_converter=converter)


async def executions(made: Bench, handle: WorkflowHandle[Any, Any]) -> list[WorkflowHistory]:
    """The histories of all executions of a run, each replayed strictly."""
    found = []
    converter = made.client.data_converter
    limits = payload_limits(converter, most=made.settings.storage.largest)
    run_id = handle.first_execution_run_id
    while run_id:
        history = await made.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        await replay_strictly(history, made.graphs, converter=converter, limits=limits)
        found.append(history)
        run_id = _successor(history.events[-1])
    return found


def _successor(last: HistoryEvent) -> str:
    return last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id


async def completed(made: Bench, given: Any) -> tuple[Any, list[WorkflowHistory]]:
    async with made.worker():
        handle = await made.start(given)
        result = await handle.result()
    return result, await executions(made, handle)


def chatter(turns: int) -> list[AIMessage]:
    return [*(call("add", f"call-{turn}", a=turn, b=1) for turn in range(turns)), AIMessage("That was all.")]


async def test_a_long_turn_goes_on_in_new_executions_and_answers_as_plain_langgraph(bench, cached_workflows) -> None:
    agent, model = agent_with(add), ScriptedModel(script=chatter(40))
    agent = Agent(agent.name, agent.build, tools=agent.tools, recursion_limit=200)

    result, histories = await completed(bench(agent, model, cached=cached_workflows), "Count.")

    assert result["output"] == (await run_live(agent, "Count.", model=model))["messages"][-1].text
    assert result["usage"]["model_calls"] == 41
    assert result["usage"]["tool_calls"] == 40
    assert [step for history in histories for step in steps(history)] == ["call_model", "add"] * 40 + ["call_model"]
    assert len(histories) > 4
    assert all(len(history.events) < 2 * LONG for history in histories)


async def test_watchers_hear_a_run_through_its_executions(bench, tmp_path) -> None:
    made = bench(agent_with(add), ScriptedModel(script=chatter(12)))
    log = EventLog(tmp_path / "events.db")

    with log.publishing() as made.events:
        async with made.worker():
            run = await Agents(made.client, Target("test", "default", "a test"), made.settings.task_queue, log).start(
                "worker", "Count."
            )
            events = [event async for event in run.events()]

    told = [event for event in events if event.attempt is None]
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    states = [event.state for event in told if event.type == "run"]
    assert states == ["started", *["continued"] * (len(states) - 1)]
    assert len(states) > 1


async def test_a_hundred_tool_calls_on_a_long_conversation_are_one_turn(bench, storing) -> None:
    @tool
    def read(page: int) -> str:
        """Read a page."""
        return f"{page:04} " * 1_000

    agent = Agent("reader", agent_with(read).build, tools=[read], recursion_limit=300)
    script = [*(call("read", f"call-{page}", page=page) for page in range(100)), AIMessage("Read.")]
    long_ago = [{"role": "user", "content": "word " * 200} for _ in range(1_000)]  # 200,000 tokens
    made = bench(agent, ScriptedModel(script=script), cached=100, on=storing)

    result, histories = await completed(made, [*long_ago, {"role": "user", "content": "Read it all."}])

    assert result["output"] == "Read."
    assert [step for history in histories for step in steps(history)] == ["call_model", "read"] * 100 + ["call_model"]
    assert len(histories) > 10
    assert sum(event.ByteSize() for history in histories for event in history.events) < 2_000_000


async def test_the_store_is_there_in_every_execution(bench) -> None:
    def build(_resources: Resources) -> Any:
        async def keep(_state: Kept, runtime: Runtime) -> dict[str, Any]:
            before = await runtime.store.asearch(("kept",), limit=100)
            await runtime.store.aput(("kept",), str(len(before)), {})
            return {"found": [len(before)]}

        graph = StateGraph(Kept).add_node("keep", keep).add_edge(START, "keep")
        return graph.add_conditional_edges("keep", lambda state: "keep" if len(state["found"]) < 20 else "__end__")

    made, store = bench(Agent("keeping", build, durability="sync"), ScriptedModel(script=[])), InMemoryStore()
    made.store = lambda _types, _root: store

    result, histories = await completed(made, {"found": []})

    assert result["output"]["found"] == list(range(20))
    assert len(histories) > 2


class Kept(TypedDict):
    found: Annotated[list[int], operator.add]


async def test_a_watcher_follows_a_run_over_its_executions(bench) -> None:
    made = bench(agent_with(add), ScriptedModel(script=chatter(15)))

    async with made.worker():
        handle = await made.start("Count.")
        followed = [step async for step in watch_steps(made.client, handle.id) if step.is_over]

    assert [step.activity for step in followed] == ["call_model", "add"] * 15 + ["call_model"]
    assert len({step.id for step in followed}) == 31


async def test_what_an_execution_hands_over_is_not_sent_to_the_model_again(bench) -> None:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools, system_prompt="Add. " * 300)

    made = bench(Agent("adding", build, tools=[add]), ScriptedModel(script=chatter(15)), cached=100)

    _, histories = await completed(made, "x" * 5_000)

    later = [event for history in histories[1:] for event in history.events]
    requests = [event.activity_task_scheduled_event_attributes.input.ByteSize() for event in later]
    assert len(histories) > 1
    assert 0 < max(requests) < 2_000


class Parcel(BaseModel):
    weight: int


class Hall(TypedDict):
    done: Annotated[list[str], operator.add]
    parcels: Annotated[list[Parcel], operator.add]


def sorting(resources: Resources) -> Any:
    """A fan-out over a subgraph of several steps, each of which calls a tool, and a join."""
    weigh = resources.tools[0]

    async def step(state: Hall) -> dict[str, Any]:
        total = await weigh.ainvoke({"a": len(state["done"]), "b": 1})
        return {"done": [f"{state['done'][0]}-{total}"], "parcels": [Parcel(weight=int(total))]}

    inner = StateGraph(Hall)
    for name in "abcde":
        inner.add_node(name, step)
    inner.add_edge(START, "a")
    for first, second in zip("abcd", "bcde", strict=True):
        inner.add_edge(first, second)
    graph = StateGraph(Hall)
    graph.add_node("belt", inner.compile())
    graph.add_node("join", lambda state: {"done": [f"{sum(each.weight for each in state['parcels'])}"]})
    graph.add_conditional_edges(START, lambda _state: [Send("belt", {"done": [name]}) for name in "xyz"], ["belt"])
    graph.add_edge("belt", "join")
    return graph


@pytest.mark.parametrize("durability", ["exit", "sync"])
async def test_parallel_subgraphs_are_taken_up_where_each_of_them_stopped(bench, durability) -> None:
    agent = Agent("sorting", sorting, tools=[add], durability=durability)
    given = {"done": [], "parcels": []}

    result, histories = await completed(bench(agent, ScriptedModel(script=[])), given)

    plain = await run_live(agent, given, model=ScriptedModel(script=[]))
    assert result["output"]["done"] == plain["done"]
    assert result["output"]["parcels"] == [{"weight": parcel.weight} for parcel in plain["parcels"]]
    assert [step for history in histories for step in steps(history)] == ["add"] * 15
    assert len(histories) > 1


def interview(_resources: Resources) -> Any:
    def ask(state: Hall) -> dict[str, Any]:
        return {"done": [interrupt(f"Question {len(state['done']) + 1}?")]}

    graph = StateGraph(Hall)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", lambda state: "ask" if len(state["done"]) < 20 else "__end__")
    return graph


async def asked(handle: WorkflowHandle[Any, Any], text: Any) -> Any:
    while True:
        for question in await questions_of(handle):
            if question["value"] == text:
                return question


async def test_answers_reach_the_questions_of_whichever_execution_asks(bench) -> None:
    made = bench(Agent("interview", interview), ScriptedModel(script=[]))

    async with made.worker():
        handle = await made.start({"done": [], "parcels": []})
        latest = made.client.get_workflow_handle(handle.id)
        for number in range(1, 21):
            question = await asked(latest, f"Question {number}?")
            await latest.execute_update("answer", args=[question["id"], number])
        result = await latest.result()

    assert result["output"]["done"] == list(range(1, 21))
    assert len(await executions(made, handle)) > 1


async def test_a_run_tells_its_state_and_the_checkpoints_that_it_keeps(bench) -> None:
    agent = Agent("interview", interview, checkpoints=3, durability="sync")
    made = bench(agent, ScriptedModel(script=[]))

    async with made.worker():
        handle = await made.start({"done": [], "parcels": []})
        latest = made.client.get_workflow_handle(handle.id)
        for number in range(1, 21):
            question = await asked(latest, f"Question {number}?")
            state, history = await latest.query("state"), await latest.query("state_history")
            assert state["values"]["done"] == list(range(1, number))
            assert state["next"] == ["ask"]
            assert state["tasks"] == [{"id": state["tasks"][0]["id"], "node": "ask", "interrupts": [question["id"]]}]
            assert history["checkpoints"][0]["checkpoint"] == state["checkpoint"]
            assert len(history["checkpoints"]) <= 3
            assert len(history["checkpoints"]) + history["pruned"] == number + 1
            await latest.execute_update("answer", args=[question["id"], number])
        result = await latest.result()

    assert result["output"]["done"] == list(range(1, 21))
    assert "the last 3 are kept" in history["note"]
    assert len(await executions(made, handle)) > 1


def _grown(state: list[str], writes: list[list[str]]) -> list[str]:
    return [*state, *chain.from_iterable(writes)]


class Diary(TypedDict):
    lines: Annotated[list[str], DeltaChannel(_grown)]
    visits: Annotated[list[str], operator.add]


def remembering(_resources: Resources) -> Any:
    """A channel that is kept by its changes, and a subgraph with a memory of its own."""

    def ask(state: Diary) -> dict[str, Any]:
        return {"lines": [interrupt(f"Line {len(state['lines']) + 1}?")]}

    inner = StateGraph(Hall)
    inner.add_node("count", lambda state: {"done": [f"visit {len(state['done']) + 1}"]})
    inner.add_edge(START, "count")
    kept = inner.compile(checkpointer=True)

    async def visit(_state: Diary) -> dict[str, Any]:
        return {"visits": (await kept.ainvoke({"done": [], "parcels": []}))["done"][-1:]}

    graph = StateGraph(Diary)
    graph.add_node("ask", ask)
    graph.add_node("visit", visit)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "visit")
    graph.add_conditional_edges("visit", lambda state: "ask" if len(state["lines"]) < 20 else "__end__")
    return graph


@pytest.mark.parametrize("durability", ["exit", "sync"])
async def test_channels_kept_by_their_changes_and_subgraphs_with_a_memory_are_handed_over(bench, durability) -> None:
    agent = Agent("remembering", remembering, checkpoints=2, durability=durability)
    made = bench(agent, ScriptedModel(script=[]), cached=100)

    async with made.worker():
        handle = await made.start({"lines": [], "visits": []})
        latest = made.client.get_workflow_handle(handle.id)
        for number in range(1, 21):
            question = await asked(latest, f"Line {number}?")
            await latest.execute_update("answer", args=[question["id"], f"line {number}"])
        result = await latest.result()

    assert result["output"]["lines"] == [f"line {number}" for number in range(1, 21)]
    assert result["output"]["visits"] == [f"visit {number}" for number in range(1, 21)]
    assert len(await executions(made, handle)) > 1


async def test_what_a_tool_asks_and_every_id_survives_new_executions(bench) -> None:
    script = [*(call("confirm", f"call-{turn}", action=f"step {turn}") for turn in range(12)), AIMessage("Done.")]
    made = bench(Agent("asking", agent_with(confirm).build, tools=[confirm]), ScriptedModel(script=script), cached=100)
    seen: list[list[str]] = [[]]

    async with made.worker():
        handle = await made.start("Do it.")
        latest = made.client.get_workflow_handle(handle.id)
        for turn in range(12):
            question = await asked(latest, {"confirm": f"step {turn}"})
            state = await latest.query("state")
            seen.append([message["id"] for message in state["values"]["messages"]])
            await latest.execute_update("answer", args=[question["id"], "yes"])
        result = await latest.result()

    histories = await executions(made, handle)
    assert result["output"] == "Done."
    assert len(histories) > 1
    assert all(now[: len(then)] == then for then, now in pairwise(seen))
    assert len(set(seen[-1])) == 24
    once = ["call_model", "confirm", "confirm"]
    assert [step for history in histories for step in steps(history)] == [*once * 12, "call_model"]


async def test_a_state_too_large_to_go_on_without_a_storage_fails_the_run_and_says_so(bench) -> None:
    @tool
    def export(part: int) -> str:
        """Export a part."""
        return f"{part:02}" * 500_000

    agent = Agent("exporter", agent_with(export).build, tools=[export])
    made = bench(agent, ScriptedModel(script=[call("export", f"call-{part}", part=part) for part in range(9)]))

    error = await failure_of(made, "Export it.")

    assert error.type == "ValueTooLarge"
    assert "The state of the run, which goes on in a new execution, has 3," in error.message
    assert "PERDURE_STORAGE__URL names one" in error.message


class Tally(TypedDict):
    totals: Annotated[list[int], DeltaChannel(_grown, snapshot_frequency=9)]


def tallying(resources: Resources) -> Any:
    async def add_one(state: Tally) -> dict[str, Any]:
        return {"totals": [await resources.tools[0].ainvoke({"a": len(state["totals"]), "b": 1})]}

    graph = StateGraph(Tally)
    graph.add_node("add_one", add_one)
    graph.add_edge(START, "add_one")
    graph.add_conditional_edges("add_one", lambda state: "add_one" if len(state["totals"]) < 40 else "__end__")
    return graph


@pytest.mark.parametrize("durability", ["exit", "sync"])
async def test_a_channel_kept_by_its_changes_is_handed_over_in_the_middle_of_a_turn(bench, durability) -> None:
    agent = Agent("tallying", tallying, tools=[add], checkpoints=1, durability=durability)

    result, histories = await completed(bench(agent, ScriptedModel(script=[]), cached=100), {"totals": [0]})

    assert result["output"]["totals"] == [0, *range(2, 41)]
    assert len(histories) > 3


async def test_an_endless_loop_is_found_though_it_is_continued(bench) -> None:
    @tool
    def again() -> str:
        """Do it again."""
        return "again"

    agent = Agent("worker", agent_with(again).build, tools=[again], recursion_limit=70)
    made = bench(agent, ScriptedModel(script=[call("again", f"call-{turn}") for turn in range(200)]))

    error = await failure_of(made, "Go on for ever.")

    assert error.type == "GraphFailed"
    assert "Recursion limit of 70 reached" in error.message


async def test_a_chat_of_many_megabytes_goes_on_and_a_new_worker_is_told_it(bench, storing) -> None:
    made = bench(chatting(), Looking(), cached=100, on=storing)
    said = [*texts(60, 300_000)]

    async with made.worker():
        handle = await made.start({"messages": []})
        talk = Talk(made.client.get_workflow_handle(handle.id))
        for text in said:
            await talk.say(text)
        await talk.wait()
    async with made.worker():
        await talk.say("How much is it?")
        state = await made.client.get_workflow_handle(handle.id).query("state")
        await talk.say(BYE)
        result = await handle.result()

    assert [message["content"] for message in state["values"]["messages"][:120:2]] == said
    answers = [""]
    for number in range(1, 61):
        answers.append(characters([RULES, *said[:number], *answers[1:number]]))
    assert result["output"] == characters([RULES, *said, *answers[1:], "How much is it?"])
    histories = await executions(made, handle)
    assert len(histories) > 5
    assert all(sum(event.ByteSize() for event in history.events) < 200_000 for history in histories)


class Handle:
    """What no execution could hand to the next."""


async def test_a_state_that_cannot_be_handed_over_fails_the_run_and_names_it(bench) -> None:
    class Odd(MessagesState):
        handle: Any

    def build(resources: Resources) -> Any:
        graph = StateGraph(Odd)
        graph.add_node("open", lambda _state: {"handle": Handle()})
        graph.add_node("work", create_agent(resources.model(), resources.tools))
        graph.add_edge(START, "open")
        graph.add_edge("open", "work")
        return graph

    made = bench(Agent("odd", build, tools=[add]), ScriptedModel(script=chatter(40)))

    error = await failure_of(made, "Count.")

    assert error.type == "UnsupportedValue"
    assert "Handle" in error.message


async def test_a_finished_call_is_not_made_again_by_a_later_execution(bench, cached_workflows) -> None:
    """Its node runs again there, because the call beside it asks questions."""
    paid: list[str] = []

    @tool
    def pay() -> str:
        """Pay."""
        paid.append(idempotency_key())
        return "paid"

    @tool
    def ask() -> str:
        """Ask until it is enough."""
        number = 1
        while interrupt(f"Question {number}?") != "enough":
            number += 1
        return f"{number} questions"

    both = AIMessage("", tool_calls=[*call("pay", "one").tool_calls, *call("ask", "two").tool_calls])
    agent = Agent("till", tool_node, tools=[pay, ask])
    made = bench(agent, Listening(script=[both, AIMessage("done")], heard={}), cached=cached_workflows)

    async with made.worker():
        handle = await made.start("go")
        latest = made.client.get_workflow_handle(handle.id)
        for number in range(1, 13):
            question = await asked(latest, f"Question {number}?")
            await latest.execute_update("answer", args=[question["id"], "enough" if number == 12 else "go on"])
        result = await latest.result()

    histories = await executions(made, handle)
    assert result["output"] == "done"
    assert made.model.heard["go"].content == "12 questions"
    assert len(histories) > 1
    assert len(paid) == 1
    assert [step for history in histories for step in steps(history)].count("pay") == 1


async def test_approved_calls_of_a_node_that_is_an_activity_are_not_made_again_by_a_later_execution(bench) -> None:
    till = Till()

    def build(resources: Resources) -> Any:
        async def pay(_state: MessagesState) -> dict[str, Any]:
            said = [await resources.tools[0].ainvoke({"amount": amount}) for amount in range(12)]
            return {"messages": [("ai", said[-1])]}

        graph = StateGraph(MessagesState).add_node("pay", pay, metadata={"execute_in": "activity"})
        return graph.add_edge(START, "pay")

    made = bench(Agent("till", build, tools=[till.pay(approve="always")]), ScriptedModel(script=[]))

    async with made.worker():
        handle = await made.start("go")
        latest = made.client.get_workflow_handle(handle.id)
        for amount in range(12):
            while (question := (await questions_of(latest))[0])["value"]["arguments"] != {"amount": amount}:
                pass
            await latest.execute_update("answer", args=[question["id"], True])
        result = await latest.result()

    assert result["output"] == "paid 11"
    assert till.amounts == [*range(12)]
    assert len(await executions(made, handle)) > 1


async def test_what_an_execution_did_is_undone_by_a_later_one(bench) -> None:
    undone: list[Any] = []

    def undo(result: Any, key: str) -> None:
        undone.append((result, key))

    @durable(compensate=undo)
    @tool
    def pay() -> str:
        """Pay."""
        return f"paid {idempotency_key()}"

    @tool
    def fail() -> str:
        """Fail."""
        raise ValueError("no")

    turns = (call("add", f"call-{turn}", a=turn, b=1) for turn in range(15))
    made = bench(agent_with(add, pay, fail), ScriptedModel(script=[call("pay"), *turns, call("fail")]))

    async with made.worker():
        handle = await made.start("go")
        with pytest.raises(WorkflowFailureError):
            await handle.result()

    histories = await executions(made, handle)
    [(result, key)] = undone
    assert len(histories) > 1
    assert result == f"paid {key}"
    assert steps(histories[-1])[-2:] == ["fail", "pay.compensate"]


async def test_questions_that_are_still_open_go_along_and_keep_their_ids(bench, cached_workflows) -> None:
    """Answers alone fill the history here; those who have not answered yet must not notice."""
    made = bench(telling(*range(30)), ScriptedModel(script=[]), cached=cached_workflows)

    async with made.worker():
        handle = await made.start({"told": []})
        latest = made.client.get_workflow_handle(handle.id)
        waiting = await questions_of(latest)
        for question in waiting:
            await latest.execute_update("answer", args=[question["id"], question["value"], "anna"])
        result = await handle.result()
        decisions = await latest.query("decisions")

    histories = await executions(made, handle)
    assert sorted(result["output"]["told"]) == [*range(30)]
    assert len(histories) > 2
    assert [each["answer"] for each in decisions] == [question["value"] for question in waiting]
    assert {each["by"][0] for each in decisions} == {"anna"}


async def test_an_approval_of_similar_calls_and_all_decisions_hold_in_later_executions(bench) -> None:
    till = Till()
    script = [*(call("pay", f"call-{number}", amount=number) for number in range(30)), AIMessage("done")]
    made = bench(agent_with(till.pay(approve="always")), ScriptedModel(script=script), cached=100)

    async with made.worker():
        handle = await made.start("go")
        latest = made.client.get_workflow_handle(handle.id)
        [question] = await questions_of(latest)
        await latest.execute_update("answer", args=[question["id"], {"approve": True, "similar": True}, "anna"])
        await handle.result()
        decisions = await latest.query("decisions")

    assert till.amounts == [*range(30)]
    assert len(await executions(made, handle)) > 2
    assert [each["how"] for each in decisions] == ["person", *["similar"] * 29]
    assert {each["by"][0] for each in decisions} == {"anna"}


async def test_a_second_answer_is_told_who_was_first_though_that_was_an_execution_ago(bench) -> None:
    made = bench(telling(*range(30)), ScriptedModel(script=[]), cached=100)

    async with made.worker():
        handle = await made.start({"told": []})
        latest = made.client.get_workflow_handle(handle.id)
        first, *others, last = await questions_of(latest)
        for question in [first, *others]:
            await latest.execute_update("answer", args=[question["id"], "x", "anna"])
        reason = await refused(latest, first["id"], "again", "bob")
        [left] = await questions_of(latest)
        await latest.execute_update("answer", args=[last["id"], "x"])
        await handle.result()

    assert len(await executions(made, handle)) > 1
    assert f"Question {first['id']!r} was answered by 'anna'" in reason
    assert left == last
