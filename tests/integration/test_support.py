"""The support agent on a thread: it looks orders up, and pays back when a person approves, once."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage

from agents.support import agent
from agents.support.shop import open_shop
from agents.testing import ScriptedModel, call
from tests.integration.threads import begin

SCRIPT = [
    call("look_up_order", order="A-1004"),
    AIMessage("You returned your monitor arm. Shall I pay 89 euros back?"),
    call("refund", order="A-1004", cents=8_900, reason="returned"),
    AIMessage("That is done."),
]


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("PERDURE_STATE", str(tmp_path))


def refunded() -> int:
    with open_shop() as shop:
        return shop.order("A-1004").refunded


async def test_money_is_paid_back_when_a_person_approves(bench, cached_workflows) -> None:
    made = bench(agent, ScriptedModel(script=SCRIPT), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        looked = await talk.say("What about my return, A-1004?")
        turn = await talk.send("Yes, please.")
        [question] = await talk.asked()
        before = refunded()
        await talk.handle.execute_update("answer", args=[question["id"], True, "anna"])
        paid = await talk.wait(turn["id"])
        [decision] = await talk.handle.query("decisions")
        await talk.close()

    assert looked["output"] == "You returned your monitor arm. Shall I pay 89 euros back?"
    assert question["tool"] == "refund"
    assert question["value"]["arguments"] == {"order": "A-1004", "cents": 8_900, "reason": "returned"}
    assert (before, refunded()) == (0, 8_900)
    assert paid["output"] == "That is done."
    assert decision["by"] == ["anna"]
    await talk.histories()


async def test_a_worker_that_goes_while_a_person_thinks_leaves_nothing_undone(bench) -> None:
    made = bench(agent, ScriptedModel(script=SCRIPT))

    async with made.worker():
        talk = await begin(made)
        await talk.say("What about my return, A-1004?")
        turn = await talk.send("Yes, please.")
        [question] = await talk.asked()
    async with made.worker():
        await talk.handle.execute_update(
            "answer", args=[question["id"], {"approve": False, "reason": "it is scratched"}]
        )
        refused = await talk.wait(turn["id"])
        messages = await talk.messages()
        await talk.close()

    assert refused["status"] == "done"
    assert any("it is scratched" in message for message in messages)
    assert refunded() == 0
