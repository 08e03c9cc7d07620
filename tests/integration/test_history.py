"""A history grows with what is said, whatever has been said before."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from temporalio.client import WorkflowHandle

from tests.integration.chat import BYE, RULES, Looking, Talk, characters, chatting, look_up, texts
from tests.integration.conftest import steps


async def length_of(handle: WorkflowHandle[Any, Any]) -> tuple[int, int]:
    """Events and bytes, as the server counts them."""
    info = (await handle.describe()).raw_description.workflow_execution_info
    return info.history_length, info.history_size_bytes


async def test_a_turn_costs_the_same_however_long_the_chat_is(bench) -> None:
    made = bench(chatting(look_up), Looking(), cached=100)
    turns, lengths = 60, []

    async with made.worker():
        handle = await made.start({"messages": []})
        talk = Talk(handle)
        for text in texts(turns, 50):
            await talk.say(text)
            await talk.wait()
            lengths.append(await length_of(handle))
        await talk.say(BYE)
        await handle.result()

    costs = [(then[0] - now[0], then[1] - now[1]) for now, then in pairwise(lengths)]
    assert {events for events, _ in costs} == {25}  # two tell lists of runs who waits; a turn of a thread needs neither
    late = [size for _, size in costs[20:]]
    assert max(late) < 1.1 * min(late)
    assert max(late) < 1_200_000 / 200
    history = await made.replayed(handle)
    assert steps(history) == ["call_model", "look_up", "call_model"] * turns


async def test_a_worker_that_lost_a_conversation_of_megabytes_is_told_it_in_pages(bench) -> None:
    made = bench(chatting(), Looking(), cached=100)
    said = [*texts(100, 15_000)]

    async with made.worker():
        handle = await made.start({"messages": [("user", text) for text in said]})
        talk = Talk(handle)
        await talk.say("How much is it?")
        await talk.wait()
    async with made.worker():
        await talk.say("And now?")
        await talk.say(BYE)
        result = await handle.result()

    first = characters([RULES, *said, "How much is it?"])
    assert result["output"] == characters([RULES, *said, "How much is it?", first, "And now?"])
    assert len((await made.replayed(handle)).events) < 50
