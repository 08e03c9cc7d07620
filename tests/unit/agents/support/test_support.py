"""The support agent in plain LangGraph, without a server."""

import pytest
from langchain_core.messages import AIMessage

from agents import Registry
from agents.options import tool_options
from agents.support import agent
from agents.support.shop import open_shop
from agents.testing import ScriptedModel, call, run_live


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("PERDURE_STATE", str(tmp_path))


async def answers(*script: AIMessage) -> list[str]:
    """What the tools returned, and the last answer."""
    model = ScriptedModel(script=[*script, AIMessage("Done.")])
    state = await run_live(agent, "Help!", model=model)
    return [message.text for message in state["messages"] if message.type == "tool" or message.text == "Done."]


def test_it_is_among_the_installed_agents() -> None:
    assert Registry.installed()["support"] is agent


async def test_it_tells_where_an_order_is() -> None:
    assert await answers(call("look_up_order", order="A-1002")) == [
        "Order A-1002: Office chair, 189.00 EUR, on its way, expected on 9 March.",
        "Done.",
    ]


async def test_it_pays_money_back() -> None:
    said = await answers(
        call("refund", order="A-1004", cents=8_900, reason="returned"), call("look_up_order", order="A-1004")
    )

    assert said[0] == "89.00 EUR were paid back for order A-1004."
    assert said[1].endswith("89.00 EUR were paid back.")


async def test_what_the_shop_refuses_is_told_to_the_model() -> None:
    said = await answers(
        call("refund", order="A-1004", cents=9_000, reason="returned"), call("look_up_order", order="Z-1")
    )

    assert said[0].startswith("90.00 EUR can't be paid back")
    assert said[1].startswith("There is no order 'Z-1'")
    with open_shop() as shop:
        assert shop.order("A-1004").refunded == 0


def test_money_goes_out_with_approval_alone() -> None:
    options = tool_options(agent.tool("refund"))

    assert options.approval(agent.approve).when == "always"
    assert options.effect != "read"
