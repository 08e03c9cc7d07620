"""What people decide in one turn of a thread, and what becomes of a question whose turn is stopped."""

from __future__ import annotations

from langchain_core.messages import AIMessage

from agents.testing import ScriptedModel, call
from tests.integration.cases import agent_with
from tests.integration.test_agent_workflow import questions_of
from tests.integration.test_effects import Till
from tests.integration.test_questions import refused, until_listed
from tests.integration.threads import begin

SCRIPT = [call("pay", "one", amount=1), AIMessage("Paid."), call("pay", "two", amount=2), AIMessage("Paid again.")]


async def test_an_approval_of_similar_calls_and_the_decisions_hold_in_later_turns(bench, cached_workflows) -> None:
    till = Till()
    made = bench(agent_with(till.pay(approve="always")), ScriptedModel(script=SCRIPT), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        turn = await talk.send("Pay.")
        [question] = await questions_of(talk.handle)
        await until_listed(made, talk.handle.id)
        answer = {"approve": True, "similar": True}
        await talk.handle.execute_update("answer", {"id": question["id"], "value": answer, "by": "anna"})
        first = await talk.wait(turn["id"])
        second = await talk.say("Pay again.")
        decisions = await talk.handle.query("decisions")
        await talk.close()

    assert (first["output"], second["output"]) == ("Paid.", "Paid again.")
    assert till.amounts == [1, 2]
    assert [(each["how"], each["by"]) for each in decisions] == [("person", ["anna"]), ("similar", ["anna"])]
    await talk.histories()


async def test_a_turn_that_is_stopped_while_it_asks_asks_no_more(bench, cached_workflows) -> None:
    till = Till()
    made = bench(agent_with(till.pay(approve="always")), ScriptedModel(script=SCRIPT), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.send("Pay.")
        [question] = await questions_of(talk.handle)
        await until_listed(made, talk.handle.id)
        stopped = await talk.handle.execute_update("interrupt")
        await until_listed(made)
        reason = await refused(talk.handle, question["id"], {"approve": True})
        asked = await talk.handle.query("questions")
        await talk.close()

    assert stopped["status"] == "interrupted"
    assert asked == []
    assert f"No question {question['id']!r} waits for an answer. Waiting: none." in reason
    assert till.amounts == []
    await talk.histories()


async def test_a_thread_that_is_idle_refuses_an_answer(bench) -> None:
    made = bench(agent_with(), ScriptedModel(script=[AIMessage("Hello.")]))

    async with made.worker():
        talk = await begin(made)
        before = await refused(talk.handle, "x", "yes")
        await talk.say("Hello?")
        after = await refused(talk.handle, "x", "yes")
        await talk.close()

    assert "No question 'x' waits" in before
    assert "No question 'x' waits" in after
    await talk.histories()
