"""A thread goes on in new executions, and on new workers, and nobody can tell by its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.types import interrupt
from temporalio.client import Client

from agents import Agent
from tests.integration.cases import agent_with
from tests.integration.conftest import impatient_client, steps
from tests.integration.threads import Gate, Payment, Strict, begin

LONG = 60
"""Events after which this module's server suggests to continue as new."""


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with impatient_client(tmp_path_factory.mktemp("impatient"), events=LONG) as client:
        yield client


@tool
def note() -> str:
    """Note."""
    return "noted"


def patient(*tools: Any) -> Agent:
    agent = agent_with(*tools)
    return Agent("patient", agent.build, tools=tools, recursion_limit=500)


NOTES = " then ".join(["note"] * 15)


async def test_turns_go_on_over_executions_as_one_conversation(bench, cached_workflows) -> None:
    made = bench(patient(note), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        told = [await talk.say(f"{number}", id=f"{number}") for number in range(20)]
        again = await talk.say("again", id="19")
        turns = await talk.turns()
        result = await talk.close()

    histories = await talk.histories()
    assert [turn["output"] for turn in told] == [f"{2 * number + 1}: {number}" for number in range(20)]
    assert again == told[-1]
    assert [turn["number"] for turn in turns] == list(range(1, 21))
    assert result["turns"] == result["usage"]["model_calls"] == 20
    assert len(histories) > 2
    assert all(len(history.events) < 2 * LONG for history in histories)


async def test_a_turn_goes_on_over_executions_while_others_wait_and_ask(bench, cached_workflows) -> None:
    @tool
    def confirm() -> str:
        """Ask."""
        return f"the answer is {interrupt('Really?')}"

    made = bench(patient(note, confirm), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made, policy="enqueue")
        await talk.say("hello")
        first = await talk.send(f"use {NOTES} then confirm then {NOTES}")
        queued = [await talk.send(f"{number}", id=f"queued-{number}") for number in range(3)]
        [question] = await talk.asked()
        states = [turn["status"] for turn in await talk.turns()]
        await talk.handle.execute_update("answer", args=[question["id"], "yes"])
        done = await talk.wait(first["id"])
        last = await talk.wait(queued[-1]["id"])
        await talk.close()

    histories = await talk.histories()
    assert states == ["done", "asking", "queued", "queued", "queued"]
    assert done["output"].endswith(": noted")
    assert done["usage"] == {**done["usage"], "model_calls": 32, "tool_calls": 32}
    assert last["output"].endswith(": 2")
    assert len(histories) > 4
    done_steps = [step for history in histories for step in steps(history)]
    assert done_steps.count("note") == 30


async def test_a_caller_that_waits_is_told_at_the_end_whichever_execution_comes_to_it(bench) -> None:
    made = bench(patient(note), Strict())

    async with made.worker():
        talk = await begin(made)
        first = await talk.send(f"use {NOTES}", wait=True)
        done = await talk.wait(first["id"])
        await talk.close()

    assert first["status"] == "running"
    assert done["status"] == "done"
    assert len(await talk.histories()) > 1


async def test_a_turn_is_rolled_back_over_executions(bench, cached_workflows) -> None:
    gate, payment = Gate(), Payment()
    made = bench(patient(note, payment.tool, gate.tool), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.say("hello")
        first = await talk.send(f"use pay then {NOTES} then stay")
        await gate.reached()
        last = await talk.say("what now?", policy="rollback")
        stopped = await talk.wait(first["id"])
        said = await talk.messages()
        await talk.close()

    assert stopped["status"] == "rolled_back"
    assert "note (15)" in stopped["note"]
    assert payment.undone == ["paid"]
    assert said == ["human: hello", "ai: 1: hello", "human: what now?", "ai: 3: what now?"]
    assert last["output"] == "3: what now?"
    assert len(await talk.histories()) > 2


async def test_a_thread_may_be_told_when_to_move(bench) -> None:
    made = bench(patient(), Strict())

    async with made.worker():
        talk = await begin(made, events=1)
        for number in range(4):
            await talk.say(f"{number}")
        await talk.close()

    assert len(await talk.histories()) > 2


@pytest.mark.parametrize("policy", ["enqueue", "interrupt", "rollback", "steer"])
async def test_another_worker_takes_up_a_thread_in_the_middle_of_a_turn(bench, policy) -> None:
    gate = Gate()
    made = bench(patient(note, gate.tool), Strict())

    async with made.worker():
        talk = await begin(made)
        await talk.say("hello")
        first = await talk.send("use note then stay then note")
        await gate.reached()
        await talk.send("waiting", id="waiting")
        gate.open()
    async with made.worker():
        second = await talk.say("what now?", policy=policy)
        await talk.wait(first["id"])
        waiting = await talk.wait("waiting")
        await talk.close()

    assert second["status"] == waiting["status"] == "done"
    await talk.histories()
