"""The activities that find out about a tool's effect and undo it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from langchain_core.tools import tool
from temporalio.testing import ActivityEnvironment

from activities.bodies import Bodies
from activities.effects import EffectRequest, EffectResponse, Effects
from activities.wire import encode
from agents import Agent, Done, Registry, durable, idempotency_key


@tool
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def agent(name: str, **options: Any) -> Agent:
    return Agent(name, lambda _resources: None, tools=[durable(**options)(pay)])  # type: ignore[arg-type, return-value]


async def run(which: str, *agents: Agent, value: Any = None) -> EffectResponse:
    """The activity `which`, asked by the first of the agents."""
    bodies = Bodies()
    found = {each.__temporal_activity_definition.name: each for each in activities(*agents, bodies=bodies)}
    sent = EffectRequest(agent=agents[0].name, tool="pay", key="k", value=encode(value))
    async with bodies.open():
        return await ActivityEnvironment().run(found[which], sent)


def activities(*agents: Agent, bodies: Bodies) -> list[Any]:
    return list(Effects(registry=Registry.of(agents), bodies=bodies).activities())


@pytest.mark.parametrize(
    ("found", "state", "value"),
    [(Done(("paid", 5)), "done", encode(("paid", 5))), ("not_done", "not_done", None), ("unknown", "unknown", None)],
)
async def test_a_tool_says_what_it_found(found, state, value) -> None:
    assert await run("pay.reconcile", agent("shop", reconcile=lambda _key: found)) == EffectResponse(
        state=state, value=value
    )


async def test_what_it_found_must_be_one_of_three_things() -> None:
    with pytest.raises(TypeError, match="returned True where Done\\(value\\), 'not_done' or 'unknown' is expected"):
        await run("pay.reconcile", agent("shop", reconcile=lambda _key: True))


async def test_a_compensation_is_given_the_result_and_has_a_key_of_its_own() -> None:
    seen: list[Any] = []

    async def undo(result: Any, key: str) -> None:
        seen.append((result, key, idempotency_key()))

    await run("pay.compensate", agent("shop", compensate=undo), value=("paid", 5))

    assert seen == [(("paid", 5), "k", "k:compensation")]


async def test_a_synchronous_compensation_that_is_cancelled_does_no_more() -> None:
    begun, gone_on, ended = threading.Event(), threading.Event(), threading.Event()

    def undo(_result: Any, _key: str) -> None:
        try:
            begun.set()
            while not gone_on.is_set():
                time.sleep(0.01)
        finally:
            ended.set()

    undoing = asyncio.ensure_future(run("pay.compensate", agent("shop", compensate=undo)))
    await asyncio.to_thread(begun.wait)
    undoing.cancel()
    await asyncio.wait({undoing})
    is_over = ended.is_set()
    gone_on.set()

    assert undoing.cancelled()
    assert is_over


async def test_a_compensation_that_blocks_its_loop_holds_nothing_up() -> None:
    begun, let_go, was_let_go = threading.Event(), threading.Event(), []

    async def undo(_result: Any, _key: str) -> None:
        begun.set()
        was_let_go.append(let_go.wait(10))

    undoing = asyncio.ensure_future(run("pay.compensate", agent("shop", compensate=undo)))
    await asyncio.to_thread(begun.wait)
    let_go.set()

    await undoing

    assert was_let_go == [True]


async def test_agents_may_have_different_tools_of_one_name() -> None:
    looking, silent = agent("looking", reconcile=lambda _key: "not_done"), agent("silent")

    assert (await run("pay.reconcile", looking, silent)).state == "not_done"
    assert (await run("pay.reconcile", silent, looking)).state == "unknown"
    assert activities(silent, bodies=Bodies()) == []
