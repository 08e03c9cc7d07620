"""What becomes of a turn that is sent while another one runs."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.exceptions import CancelledError

from agents import Agent, Resources, idempotency_key
from tests.integration.cases import agent_with
from tests.integration.conftest import PATIENCE, steps
from tests.integration.test_saga import has_seen_its_cancellation
from tests.integration.threads import PAUSE, Gate, Payment, Strict, Talk, begin
from workflows.settling import STOPPED


@tool
def note() -> str:
    """Note."""
    return "noted"


async def test_reject_refuses_a_turn_while_one_runs(bench) -> None:
    gate = Gate()
    made = bench(agent_with(gate.tool), Strict())

    async with made.worker():
        talk = await begin(made, policy="reject")
        await talk.send("use stay")
        await gate.reached()
        refused = await talk.refused("two")
        taken = await talk.send("three", policy="enqueue")
        gate.open()
        last = await talk.wait(taken["id"])
        await talk.close()

    assert refused.type == "ThreadBusy"
    assert (last["number"], last["output"]) == (2, "5: three")
    await talk.histories()


async def test_too_many_turns_in_the_queue_are_refused(bench, monkeypatch) -> None:
    monkeypatch.setattr("workflows.book.MOST_QUEUED", 3)
    gate = Gate()
    made = bench(agent_with(gate.tool), Strict())

    async with made.worker():
        talk = await begin(made)
        await talk.send("use stay")
        await gate.reached()
        for number in range(3):
            await talk.send(f"{number}")
        refused = await talk.refused("one more")
        gate.open()
        result = await talk.close()

    assert refused.type == "ThreadBusy"
    assert result["turns"] == 4
    await talk.histories()


async def test_interrupt_keeps_what_the_turn_did_and_goes_on_from_there(bench, cached_workflows) -> None:
    gate = Gate()
    made = bench(agent_with(note, gate.tool), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        first = await talk.send("use note then stay")
        await gate.reached()
        second = await talk.say("what now?", policy="interrupt")
        stopped = await talk.wait(first["id"])
        said = await talk.messages()
        await talk.close()

    assert stopped["status"] == "interrupted"
    assert second["status"] == "done"
    assert said[:4] == ["human: use note then stay", "ai: ", "tool: noted", "ai: "]
    assert "was stopped before this call came back" in said[4]
    assert said[5:] == ["human: what now?", "ai: 6: what now?"]
    await talk.histories()


async def test_what_came_of_calls_beside_the_interrupted_one_is_kept(bench, cached_workflows) -> None:
    gate, noted = Gate(), []

    @tool
    def note() -> str:
        """Note."""
        noted.append(1)
        return "noted"

    made = bench(agent_with(note, gate.tool), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.send("use note stay")
        await gate.reached()
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while "note" not in await completed(talk):
                await asyncio.sleep(PAUSE)
        stopped = await talk.handle.execute_update("interrupt")
        said = await talk.messages()
        last = await talk.say("go on")
        await talk.close()

    assert stopped["status"] == "interrupted"
    assert f"tool: {STOPPED}" in said
    assert "tool: noted" in said
    assert last["output"] == "5: go on"
    assert noted == [1]
    await talk.histories()


async def accepted(talk: Talk, update: str) -> bool:
    events = (await talk.handle.fetch_history()).events
    taken = (event.workflow_execution_update_accepted_event_attributes.accepted_request for event in events)
    return any(request.input.name == update for request in taken)


async def completed(talk: Talk) -> list[str]:
    """The steps that have given something."""
    events = (await talk.handle.fetch_history()).events
    done = [event.activity_task_completed_event_attributes.scheduled_event_id for event in events]
    return [events[each - 1].activity_task_scheduled_event_attributes.activity_type.name for each in done if each]


async def test_nothing_to_interrupt_is_refused(bench) -> None:
    made = bench(agent_with(), Strict())

    async with made.worker():
        talk = await begin(made)
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await talk.handle.execute_update("interrupt")
        await talk.close()

    assert caught.value.cause.type == "InvalidInput"


async def test_a_turn_that_asks_can_be_interrupted(bench, cached_workflows) -> None:
    @tool
    def confirm() -> str:
        """Ask."""
        return f"the answer is {interrupt('Really?')}"

    made = bench(agent_with(confirm), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.send("use confirm")
        await talk.asked()
        stopped = await talk.handle.execute_update("interrupt")
        questions = await talk.handle.query("questions")
        last = await talk.say("never mind")
        await talk.close()

    assert stopped["status"] == "interrupted"
    assert questions == []
    assert last["output"] == "4: never mind"
    await talk.histories()


async def test_rollback_undoes_what_can_be_undone_and_says_what_can_not(bench, cached_workflows) -> None:
    gate, payment = Gate(), Payment()

    @tool
    def mail() -> str:
        """Mail."""
        return "mailed"

    made = bench(agent_with(payment.tool, mail, gate.tool), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.say("hello")
        before = await talk.messages()
        first = await talk.send("use pay then mail then stay")
        await gate.reached()
        second = await talk.say("what now?", policy="rollback")
        stopped = await talk.wait(first["id"])
        after = await talk.messages()
        await talk.close()

    assert stopped["status"] == "rolled_back"
    assert "mail" in stopped["note"]
    assert "pay" not in stopped["note"]
    assert payment.undone == ["paid"]
    assert second["output"] == "3: what now?"
    assert after[: len(before)] == before
    assert after[len(before) :] == ["human: what now?", "ai: 3: what now?"]
    await talk.histories()


async def test_the_first_turn_can_be_rolled_back_and_its_calls_are_made_again_under_other_keys(
    bench, cached_workflows
) -> None:
    gate, keys = Gate(), []

    @tool
    def pay() -> str:
        """Pay."""
        keys.append(idempotency_key())
        return "paid"

    made = bench(agent_with(pay, gate.tool), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.send("use pay then stay")
        await gate.reached()
        again = await talk.send("use pay then stay", policy="rollback")
        await gate.reached(2)
        gate.open()
        last = await talk.wait(again["id"])
        await talk.close()

    assert last["output"] == "5: stayed"
    assert len(keys) == len(set(keys)) == 2
    await talk.histories()


async def test_steer_reaches_the_next_model_call_of_the_turn(bench, cached_workflows) -> None:
    gate = Gate()
    made = bench(agent_with(note, gate.tool), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        first = await talk.send("use stay then note")
        await gate.reached()
        second = await talk.send("leave the note", policy="steer")
        gate.open()
        done, joined = await talk.wait(first["id"]), await talk.wait(second["id"])
        said = await talk.messages()
        await talk.close()

    assert said == [
        "human: use stay then note",
        "ai: ",
        "tool: stayed",
        "human: leave the note",
        "ai: 4: leave the note",
    ]
    assert done["output"] == joined["output"] == "4: leave the note"
    assert joined["into"] == first["id"]
    await talk.histories()


async def test_a_message_that_comes_too_late_for_the_turn_is_a_turn_of_its_own(bench, cached_workflows) -> None:
    gate = Gate()

    def build(resources: Resources) -> Any:
        async def last(_state: MessagesState) -> dict[str, Any]:
            await resources.tools[0].ainvoke({})
            return {}

        graph = StateGraph(MessagesState)
        graph.add_node("talk", create_agent(resources.model(), []))
        graph.add_node("last", last)
        graph.add_edge(START, "talk")
        graph.add_edge("talk", "last")
        return graph

    made = bench(Agent("late", build, tools=[gate.tool]), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        first = await talk.send("one")
        await gate.reached()
        second = await talk.send("two", policy="steer")
        third = await talk.send("three")
        gate.open()
        done = [await talk.wait(turn["id"]) for turn in (first, second, third)]
        await talk.close()

    assert [turn["output"] for turn in done] == ["1: one", "3: two", "5: three"]
    assert "into" not in done[1]
    await talk.histories()


def team(resources: Resources) -> Any:
    """An agent as a subgraph."""
    graph = StateGraph(MessagesState)
    graph.add_node("worker", create_agent(resources.model(), resources.tools))
    graph.add_edge(START, "worker")
    return graph


@pytest.mark.parametrize("durability", ["exit", "sync"])
async def test_steer_reaches_an_agent_inside_of_a_graph(bench, cached_workflows, durability) -> None:
    gate = Gate()
    agent = Agent("team", team, tools=[note, gate.tool], durability=durability)
    made = bench(agent, Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        first = await talk.send("use note then stay then note")
        await gate.reached()
        await talk.send("leave the note", policy="steer")
        gate.open()
        done = await talk.wait(first["id"])
        said = await talk.messages()
        await talk.close()

    assert done["output"] == "6: leave the note"
    assert said[-2:] == ["human: leave the note", "ai: 6: leave the note"]
    history = (await talk.histories())[0]
    assert steps(history) == ["call_model", "note", "call_model", "stay", "call_model"]


@pytest.mark.parametrize("policy", ["interrupt", "rollback"])
async def test_a_node_that_swallows_its_cancellation_begins_nothing_more(bench, policy) -> None:
    gate, begun = Gate(), []

    @tool
    def more() -> str:
        """More."""
        begun.append(1)
        return "more"

    def build(resources: Resources) -> Any:
        async def stubborn(state: MessagesState) -> dict[str, Any]:
            if state["messages"][-1].text != "stay":
                return {"messages": [("ai", "done")]}
            for each in resources.tools:
                with suppress(asyncio.CancelledError):
                    await each.ainvoke({})
            return {"messages": [("ai", "swallowed")]}

        return StateGraph(MessagesState).add_node("stubborn", stubborn).add_edge(START, "stubborn")

    made = bench(Agent("stubborn", build, tools=[gate.tool, more]), Strict())

    async with made.worker():
        talk = await begin(made)
        first = await talk.send("stay")
        await gate.reached()
        second = await talk.say("next", policy=policy)
        stopped, said = await talk.wait(first["id"]), await talk.messages()
        await talk.close()

    assert begun == []
    assert second["output"] == "done"
    assert ("human: stay" in said) == (policy == "interrupt")
    assert stopped["status"] == ("done" if policy == "interrupt" else "rolled_back")
    await talk.histories()


async def test_a_cancelled_thread_undoes_the_turn_that_runs_and_tells_who_waits(bench, cached_workflows) -> None:
    gate, payment = Gate(), Payment()
    made = bench(agent_with(payment.tool, gate.tool), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.say("use pay")
        turn = await talk.send("use pay then stay")
        await gate.reached()
        waiting = asyncio.create_task(talk.wait(turn["id"]))
        while not await accepted(talk, "wait"):
            await asyncio.sleep(PAUSE)
        await talk.handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await talk.handle.result()
        told = await waiting

    assert told["status"] == "interrupted"
    assert isinstance(caught.value.cause, CancelledError)
    assert payment.undone == ["paid"]
    await talk.histories()


@pytest.mark.parametrize("policy", ["interrupt", "rollback"])
async def test_an_agent_inside_of_a_graph_is_stopped_and_the_conversation_goes_on(bench, policy) -> None:
    gate = Gate()
    made = bench(Agent("team", team, tools=[note, gate.tool]), Strict())

    async with made.worker():
        talk = await begin(made)
        await talk.say("hello")
        await talk.send("use note then stay")
        await gate.reached()
        last = await talk.say("what now?", policy=policy)
        await talk.close()

    assert last["status"] == "done"
    assert last["output"] == ("4: what now?" if policy == "interrupt" else "3: what now?")
    await talk.histories()


async def test_a_thread_that_is_cancelled_while_its_turn_is_interrupted_waits_for_the_tools(bench) -> None:
    begun, go = asyncio.Event(), threading.Event()

    @tool
    async def finish() -> str:
        """Finish, whatever comes."""
        begun.set()
        while not go.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(PAUSE)
        return "finished"

    made = bench(agent_with(finish), Strict())
    async with made.worker():
        talk = await begin(made)
        await talk.send("use finish finish")
        await begun.wait()
        await talk.handle.start_update("interrupt", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        await talk.handle.cancel()
        while not has_seen_its_cancellation(await talk.handle.fetch_history()):
            await asyncio.sleep(PAUSE)
        go.set()
        with pytest.raises(WorkflowFailureError):
            await talk.handle.result()

    [history] = await talk.histories()
    assert any(event.HasField("activity_task_completed_event_attributes") for event in history.events[-8:])
