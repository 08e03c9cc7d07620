"""A thread: many turns, one conversation."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool
from langgraph.types import interrupt
from temporalio.client import WorkflowFailureError

from agents import idempotency_key
from tests.integration.cases import agent_with
from tests.integration.threads import Gate, Payment, Strict, begin


async def test_turns_are_one_conversation(bench, cached_workflows) -> None:
    made = bench(agent_with(), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        first, second = await talk.say("one"), await talk.say("two")
        result = await talk.close()

    assert (first["number"], first["status"], first["output"]) == (1, "done", "1: one")
    assert (second["number"], second["status"], second["output"]) == (2, "done", "3: two")
    assert made.model.heard[-1] == ["one", "1: one", "two"]
    assert result == {"agent": "worker", "turns": 2, "usage": result["usage"]}
    assert result["usage"]["model_calls"] == 2
    assert second["usage"]["model_calls"] == 1
    await talk.histories()


async def test_a_turn_with_three_steps_takes_no_more_events_than_a_bare_workflow_s(bench) -> None:
    @tool
    def look() -> str:
        """Look."""
        return "seen"

    made = bench(agent_with(look), Strict(), cached=100)

    async with made.worker():
        talk = await begin(made)
        await talk.say("use look")
        before = (await talk.handle.describe()).history_length
        for _ in range(5):
            await talk.say("use look")
        after = (await talk.handle.describe()).history_length
        await talk.close()

    assert after - before <= 5 * 23
    await talk.histories()


async def test_sending_without_waiting_returns_at_once_and_turns_follow_each_other(bench, cached_workflows) -> None:
    gate = Gate()
    made = bench(agent_with(gate.tool), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        first = await talk.send("use stay")
        await gate.reached()
        second = await talk.send("and then?")
        states = [turn["status"] for turn in await talk.turns()]
        gate.open()
        last = await talk.wait(second["id"])
        await talk.close()

    assert first["status"] in {"queued", "running"}
    assert states == ["running", "queued"]
    assert last["output"] == "5: and then?"
    await talk.histories()


async def test_the_same_id_twice_is_one_turn(bench, cached_workflows) -> None:
    made = bench(agent_with(), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        first = await talk.say("one", id="mine")
        again = await talk.say("one", id="mine")
        await talk.close()

    assert again == first
    assert len(made.model.heard) == 1


async def test_two_turns_that_are_alike_both_act(bench, cached_workflows) -> None:
    keys: list[str] = []

    @tool
    def pay() -> str:
        """Pay."""
        keys.append(idempotency_key())
        return "paid"

    made = bench(agent_with(pay), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.say("use pay")
        await talk.say("use pay")
        await talk.close()

    assert len(keys) == len(set(keys)) == 2
    await talk.histories()


async def test_a_turn_that_fails_is_undone_and_leaves_the_thread_alive(bench, cached_workflows) -> None:
    payment = Payment()

    @tool
    def fail() -> str:
        """Fail."""
        raise ValueError("no way")

    made = bench(agent_with(payment.tool, fail), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.say("hello")
        failed = await talk.say("use fail")
        kept = await talk.messages()
        both = await talk.say([{"role": "user", "content": "use pay then fail"}])
        after = await talk.messages()
        last = await talk.say("still there?")
        await talk.close()

    assert (failed["status"], failed["error"]["type"]) == ("failed", "GraphFailed")
    assert "ValueError: no way" in failed["error"]["message"]
    assert kept[2:] == ["human: use fail", "ai: ", kept[-1]]
    assert "was stopped before this call came back" in kept[-1]
    assert both["status"] == "failed"
    assert payment.undone == ["paid"]
    assert after == kept
    assert last["output"] == "6: still there?"
    await talk.histories()


async def test_a_turn_that_asks_is_answered_as_a_run_is(bench, cached_workflows) -> None:
    @tool
    def confirm() -> str:
        """Ask."""
        return f"the answer is {interrupt('Really?')}"

    made = bench(agent_with(confirm), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        turn = await talk.send("use confirm")
        [question] = await talk.asked()
        [asking] = await talk.turns()
        await talk.handle.execute_update("answer", args=[question["id"], "yes"])
        done = await talk.wait(turn["id"])
        again = await talk.send("use confirm")
        [another] = await talk.asked()
        await talk.handle.execute_update("answer", args=[another["id"], "no"])
        other = await talk.wait(again["id"])
        await talk.close()

    assert asking["status"] == "asking"
    assert question["value"] == "Really?"
    assert done["output"] == "3: the answer is yes"
    assert another["id"] != question["id"]
    assert other["output"] == "7: the answer is no"
    await talk.histories()


@pytest.mark.parametrize(
    ("given", "reason"),
    [("", "empty"), (None, "empty"), ("  ", "empty")],
)
async def test_an_empty_turn_is_refused_and_leaves_no_trace(bench, given, reason) -> None:
    made = bench(agent_with(), Strict())

    async with made.worker():
        talk = await begin(made)
        error = await talk.refused(given)
        await talk.close()

    assert error.type == "InvalidInput"
    assert reason in error.message


async def test_a_thread_of_an_unknown_agent_fails_and_says_so(bench) -> None:
    made = bench(agent_with(), Strict())

    async with made.worker():
        handle = await made.client.start_workflow(
            "ThreadWorkflow", {"agent": "nobody"}, id="nobody", task_queue=made.settings.task_queue
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()

    assert caught.value.cause.type == "UnknownAgent"


async def test_an_idle_thread_ends_by_itself(bench, cached_workflows) -> None:
    made = bench(agent_with(), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made, idle=1)
        await talk.say("one")
        result = await talk.handle.result()

    assert result["turns"] == 1
    await talk.histories()
