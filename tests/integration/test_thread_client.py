"""Threads from Python: one call begins a conversation, goes on with it, and wakes one that has ended."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool
from langgraph.types import interrupt

from agents.errors import InvalidInput, ThreadBusy, ThreadClosed
from temporal.client import Agents, UnknownRun
from temporal.storage import StorageLocation
from temporal.target import Target
from tests.integration.cases import agent_with
from tests.integration.conftest import Bench, storing_client
from tests.integration.threads import Gate, Strict


def agents_of(made: Bench) -> Agents:
    return Agents(made.client, Target("the test's", "default", "the test"), made.settings.task_queue)


async def test_one_call_begins_a_thread_and_the_next_goes_on_with_it(bench) -> None:
    made = bench(agent_with(), Strict())

    async with made.worker():
        thread = agents_of(made).thread("worker")
        first = await thread.send("one")
        second = await agents_of(made).thread("worker", thread.id).send("two")
        told = await thread.turns()
        await thread.close()
        result = await thread.result()

    assert (first.output, second.output) == ("1: one", "3: two")
    assert told.turns == [first, second]
    assert result.turns == 2


async def test_a_thread_that_has_ended_goes_on_with_its_conversation(bench, stack, tmp_path) -> None:
    storage = StorageLocation("a folder", tmp_path)
    made = bench(agent_with(), Strict(), on=await storing_client(stack, storage))
    long = "long " * 20_000

    async with made.worker():
        thread = agents_of(made).thread("worker", idle=1)
        first = await thread.send(long, id="first")
        await thread.result()
        second = await thread.send("two")
        again = await (await agents_of(made).find_thread(thread.id)).send("one", id="first")
        await thread.close()
        await thread.result()
        third = await (await agents_of(made).find_thread(thread.id)).send("three")
        usage = (await thread.run.client.get_workflow_handle(thread.id).query("usage"))["model_calls"]

    assert [turn.number for turn in (first, second, third)] == [1, 2, 3]
    assert second.output == "3: two"
    assert third.output == "5: three"
    assert again == first
    assert usage == 3


async def test_a_thread_that_was_terminated_is_not_woken(bench) -> None:
    made = bench(agent_with(), Strict())

    async with made.worker():
        thread = agents_of(made).thread("worker")
        await thread.send("one")
        await made.client.get_workflow_handle(thread.id).terminate()
        with pytest.raises(ThreadClosed, match="terminated"):
            await thread.send("two")


async def test_what_is_not_taken_says_why(bench) -> None:
    gate = Gate()
    made = bench(agent_with(gate.tool), Strict())

    async with made.worker():
        agents = agents_of(made)
        thread = agents.thread("worker", policy="reject")
        with pytest.raises(InvalidInput, match="empty"):
            await thread.send(" ")
        taken = await thread.send("use stay", wait=False)
        await gate.reached()
        with pytest.raises(ThreadBusy, match="reject"):
            await thread.send("two")
        with pytest.raises(InvalidInput, match="'worker', and not 'other'"):
            await agents.thread("other", thread.id).send("two", policy="enqueue")
        with pytest.raises(InvalidInput, match="no turn 'none'"):
            await thread.wait("none")
        await thread.close()
        with pytest.raises(ThreadClosed):
            await thread.send("three", policy="enqueue")
        gate.open()
        done = await thread.wait(taken.id)

    assert done.status == "done"
    with pytest.raises(UnknownRun):
        await agents.find_thread("nowhere")
    with pytest.raises(InvalidInput, match="idle"):
        agents.thread("worker", idle=-1)


async def test_a_thread_of_an_unknown_agent_says_so_to_who_sends_the_first_turn(bench) -> None:
    made = bench(agent_with(), Strict())

    async with made.worker():
        with pytest.raises(InvalidInput, match="Unknown agent 'nobody'"):
            await agents_of(made).thread("nobody").send("one")


async def test_questions_are_answered_and_turns_are_stopped(bench) -> None:
    @tool
    def confirm() -> str:
        """Ask."""
        return f"the answer is {interrupt('Really?')}"

    made = bench(agent_with(confirm), Strict())

    async with made.worker():
        thread = agents_of(made).thread("worker")
        asking = await thread.send("use confirm", wait=False)
        while not (asked := await thread.questions()):
            pass
        await thread.answer(asked[0].id, "yes")
        done = await thread.wait(asking.id)
        await thread.send("use confirm", wait=False)
        while not await thread.questions():
            pass
        stopped = await thread.interrupt()
        await thread.close()
        await thread.result()

    assert done.output == "3: the answer is yes"
    assert stopped.status == "interrupted"
