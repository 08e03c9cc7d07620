"""Threads go back in time: rewound to before a turn, and forked into threads of their own."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool

from agents import durable
from agents.errors import CheckpointPruned, EffectsWouldRepeat, InvalidInput, ThreadBusy
from temporal.client import Run
from tests.integration.cases import agent_with
from tests.integration.conftest import Bench
from tests.integration.test_time_travel import adding, agents_of
from tests.integration.threads import Gate, Strict, Talk, begin


async def found(made: Bench, talk: Talk) -> Run:
    return await agents_of(made).find(talk.handle.id)


def talk_of(made: Bench, run: Run) -> Talk:
    return Talk(made, made.client.get_workflow_handle(run.id))


async def test_a_thread_is_rewound_to_before_a_turn_and_goes_on_from_there(bench, cached_workflows) -> None:
    made = bench(agent_with(), Strict(), cached=cached_workflows)

    async with made.worker():
        talk = await begin(made)
        await talk.say("one")
        second, third = await talk.say("two"), await talk.say("three")
        rewound = await (await found(made, talk)).rewind(turn=second["id"])
        left = await talk.messages()
        again = await talk.say("deux")
        statuses = [turn["status"] for turn in await talk.turns()]
        with pytest.raises(CheckpointPruned, match="is not kept"):
            await (await found(made, talk)).rewind(turn=third["id"])
        await talk.close()

    assert rewound.turns == [second["id"], third["id"]]
    assert left == ["human: one", "ai: 1: one"]
    assert again["output"] == "3: deux"
    assert statuses == ["done", "rolled_back", "rolled_back", "done"]
    await talk.histories()


async def test_a_thread_is_rewound_to_its_beginning_and_to_a_checkpoint(bench) -> None:
    made = bench(agent_with(), Strict())

    async with made.worker():
        talk = await begin(made)
        run = await found(made, talk)
        first = await talk.say("one")
        at = (await run.state()).checkpoint
        await talk.say("two")
        to_checkpoint = await run.rewind(checkpoint=at)
        after_one = await talk.messages()
        to_beginning = await run.rewind(turn=first["id"])
        answer = await talk.say("un")
        with pytest.raises(InvalidInput, match="name a turn or a checkpoint"):
            await run.rewind()
        with pytest.raises(InvalidInput, match="There is no turn 'nonsense'"):
            await run.rewind(turn="nonsense")
        await talk.close()
        with pytest.raises(InvalidInput, match="has ended"):
            await run.rewind(checkpoint=at)

    assert to_checkpoint.checkpoint == at
    assert after_one == ["human: one", "ai: 1: one"]
    assert (to_beginning.checkpoint, to_beginning.turns) == (None, [first["id"]])
    assert answer["output"] == "1: un"
    await talk.histories()


async def test_a_thread_at_work_is_not_rewound_and_what_tools_did_is_told(bench) -> None:
    gate = Gate()

    @durable(effect="idempotent")
    @tool
    def pay() -> str:
        """Pay."""
        return "paid"

    made = bench(agent_with(gate.tool, pay), Strict())

    async with made.worker():
        talk = await begin(made)
        run = await found(made, talk)
        paid = await talk.say("use pay")
        await talk.send("use stay")
        await gate.reached()
        with pytest.raises(ThreadBusy, match="A turn is at work"):
            await run.rewind(turn=paid["id"])
        gate.open()
        await talk.say("and?")
        rewound = await run.rewind(turn=paid["id"])
        await talk.close()

    assert [(effect.tool, effect.outcome) for effect in rewound.effects] == [("pay", "done"), ("stay", "done")]
    await talk.histories()


async def test_a_thread_is_forked_into_another_thread(bench, cached_workflows) -> None:
    made = bench(agent_with(), Strict(), cached=cached_workflows)

    async with made.worker():
        agents = agents_of(made)
        talk = await begin(made)
        run = await found(made, talk)
        await talk.say("one")
        at = (await run.state()).checkpoint
        await talk.say("two")
        quiet = talk_of(made, await agents.fork(run.id, checkpoint=at))
        third = await quiet.say("trois")
        at_once = talk_of(made, await agents.fork(run.id, checkpoint=at, input="sofort"))
        first = await at_once.wait("forked")
        edited = talk_of(made, await agents.fork(run.id, state={"messages": ["by the way"]}))
        answer = await edited.say("go on")
        origin = (await (await found(made, quiet)).state()).forked_from
        for each in (talk, quiet, at_once, edited):
            await each.close()

    assert (third["number"], third["output"]) == (1, "3: trois")
    assert (first["number"], first["output"]) == (1, "3: sofort")
    assert answer["output"] == "6: go on"
    assert origin is not None
    assert (origin.run, origin.checkpoint) == (run.id, at)
    for each in (quiet, at_once, edited):
        await made.replayed(each.handle)


async def test_a_fork_in_the_middle_of_a_turn_takes_it_to_its_end(bench) -> None:
    paid = []

    @durable(effect="idempotent")
    @tool
    def pay() -> str:
        """Pay."""
        paid.append("pay")
        return "paid"

    made = bench(adding(pay), Strict())

    async with made.worker():
        agents = agents_of(made)
        talk = await begin(made)
        run = await found(made, talk)
        await talk.say("use pay")
        at = next(each.checkpoint for each in (await run.history()).supersteps if each.nodes == ["tools"])
        with pytest.raises(InvalidInput, match="in the middle of a turn"):
            await run.rewind(checkpoint=at)
        with pytest.raises(EffectsWouldRepeat):
            await agents.fork(run.id, checkpoint=at)
        fork = talk_of(made, await agents.fork(run.id, checkpoint=at, repeat_effects=True))
        first = await fork.wait("forked")
        second = await fork.say("thanks")
        await talk.close()
        await fork.close()

    assert first["output"] == "3: paid"
    assert second["output"] == "5: thanks"
    assert paid == ["pay", "pay"]
    await made.replayed(fork.handle)
