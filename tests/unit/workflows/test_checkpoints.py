"""The saver keeps what LangGraph needs, and no more."""

import itertools
import operator
from typing import Annotated, TypedDict

import pytest
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from activities.wire import decode, encode
from agents.errors import CheckpointPruned
from workflows.checkpoints import WorkflowSaver
from workflows.namespace import Snapshot


class State(TypedDict):
    path: Annotated[list[str], operator.add]


def looping(steps: int) -> StateGraph:
    graph = StateGraph(State)
    graph.add_node("step", lambda state: {"path": [str(len(state["path"]))]})
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: "step" if len(state["path"]) < steps else "__end__")
    return graph


def asking() -> StateGraph:
    graph = StateGraph(State)
    graph.add_node("ask", lambda _state: {"path": [interrupt("one"), interrupt("two")]})
    graph.add_edge(START, "ask")
    return graph


def config(**more) -> dict:
    return {"configurable": {"thread_id": "thread", **more}, "recursion_limit": 100}


@pytest.mark.parametrize("durability", ["exit", "async", "sync"])
async def test_two_questions_of_one_node_are_answered_as_with_langgraphs_own_saver(durability) -> None:
    ends = []
    for saver in (InMemorySaver(), WorkflowSaver()):
        graph = asking().compile(checkpointer=saver)
        state = await graph.ainvoke({"path": []}, config(), durability=durability)
        for reply in ("first", "second"):
            [question] = state["__interrupt__"]
            state = await graph.ainvoke(Command(resume={question.id: reply}), config(), durability=durability)
        ends.append(state)

    assert ends == [{"path": ["first", "second"]}] * 2


async def test_the_history_of_states_is_that_of_langgraphs_own_saver() -> None:
    histories = []
    for saver in (InMemorySaver(), WorkflowSaver(keep=100)):
        graph = looping(4).compile(checkpointer=saver)
        await graph.ainvoke({"path": []}, config())
        histories.append([(state.values, state.next) async for state in graph.aget_state_history(config())])

    assert histories[0] == histories[1]
    assert len(histories[0]) == 6


async def test_old_checkpoints_are_dropped() -> None:
    saver = WorkflowSaver(keep=2)
    graph = looping(30).compile(checkpointer=saver)

    await graph.ainvoke({"path": []}, config(), durability="sync")

    kept = [found async for found in saver.alist(config())]
    assert len(kept) == 2
    assert saver.pruned("thread") == 30
    assert len(saver._namespaces["thread", ""]._values) < 10
    assert (await graph.aget_state(config())).values["path"][-1] == "29"


async def test_a_fork_from_a_kept_checkpoint_goes_its_own_way() -> None:
    graph = looping(3).compile(checkpointer=WorkflowSaver(keep=100))
    await graph.ainvoke({"path": []}, config())
    [early] = [state async for state in graph.aget_state_history(config()) if len(state.values.get("path", [])) == 1]

    forked = await graph.aupdate_state(early.config, {"path": ["edited"]})
    state = await graph.ainvoke(None, forked)

    assert state["path"] == ["0", "edited", "2"]


async def test_a_deleted_thread_is_gone() -> None:
    saver = WorkflowSaver()
    graph = looping(2).compile(checkpointer=saver)
    await graph.ainvoke({"path": []}, config())

    await saver.adelete_thread("thread")

    assert await saver.aget_tuple(config()) is None
    assert not saver._namespaces


async def test_a_checkpoint_that_was_pruned_is_refused_with_the_reason() -> None:
    graph = looping(30).compile(checkpointer=WorkflowSaver(keep=3))
    steps = graph.astream({"path": []}, config(), durability="sync")
    states = [await graph.aget_state(config()) async for _ in steps]

    with pytest.raises(
        CheckpointPruned, match=r"the run has the last 3\. Keep more with Agent\(\.\.\., checkpoints=6\)"
    ):
        await graph.ainvoke(None, states[5].config)
    with pytest.raises(CheckpointPruned):
        await graph.aupdate_state(states[5].config, {"path": ["edited"]})
    state = await graph.ainvoke(None, await graph.aupdate_state(states[-2].config, {"path": ["edited"]}))

    assert state["path"][-2:] == ["28", "edited"]


class Delta(TypedDict):
    path: Annotated[
        list[str], DeltaChannel(lambda state, writes: [*state, *itertools.chain(*writes)], snapshot_frequency=7)
    ]
    steps: int


def adding_up(steps: int) -> StateGraph:
    graph = StateGraph(Delta)
    graph.add_node("step", lambda state: {"path": [str(state["steps"])], "steps": state["steps"] + 1})
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: "step" if state["steps"] < steps else "__end__")
    return graph


@pytest.mark.parametrize("durability", ["exit", "sync"])
@pytest.mark.parametrize("turns", [1, 2, 5])
async def test_what_a_delta_channel_is_made_of_is_kept(durability, turns) -> None:
    histories = []
    for saver in (InMemorySaver(), WorkflowSaver(keep=2)):
        graph = adding_up(11).compile(checkpointer=saver)
        for turn in range(turns):
            await graph.ainvoke({"path": [f"turn {turn}"], "steps": 0}, config(), durability=durability)
        histories.append([state.values async for state in graph.aget_state_history(config())])

    plain, kept = histories
    assert len(plain[0]["path"]) == 12 * turns
    assert kept == plain[: len(kept)]
    assert len(kept) in (1, 2)
    assert len(saver._namespaces["thread", ""].ancestors) <= 15


async def test_a_delta_channel_is_handed_over() -> None:
    first, second = WorkflowSaver(keep=1), WorkflowSaver(keep=1)
    before, after = adding_up(11).compile(checkpointer=first), adding_up(11).compile(checkpointer=second)
    await before.ainvoke({"path": ["turn 0"], "steps": 0}, config(), durability="sync")

    second.restore(Snapshot(*decode(encode([*snapshot]), {})) for snapshot in first.snapshots())
    state = await after.ainvoke({"path": ["turn 1"], "steps": 0}, config(), durability="sync")

    assert state["path"] == ["turn 0", *map(str, range(11)), "turn 1", *map(str, range(11))]


async def test_subgraphs_that_have_ended_are_dropped() -> None:
    saver = WorkflowSaver(keep=2)
    inner = looping(40).compile()
    outer = StateGraph(State)
    outer.add_node("inner", lambda state: {"path": inner.invoke(state)["path"][len(state["path"]) :][:1]})
    outer.add_edge(START, "inner")
    outer.add_conditional_edges("inner", lambda state: "inner" if len(state["path"]) < 30 else "__end__")

    await outer.compile(checkpointer=saver).ainvoke({"path": []}, config(), durability="sync")

    assert len(saver._namespaces) <= 4


async def test_a_subgraph_with_a_memory_of_its_own_is_handed_over() -> None:
    def build(saver: WorkflowSaver):
        inner = StateGraph(State)
        inner.add_node("count", lambda state: {"path": [f"call {len(state['path']) + 1}"]})
        inner.add_edge(START, "count")
        remembering = inner.compile(checkpointer=True)
        outer = StateGraph(State)
        outer.add_node("inner", lambda _state: {"path": remembering.invoke({"path": []})["path"][-1:]})
        outer.add_node("after", lambda _state: {"path": ["after"]})
        outer.add_edge(START, "inner")
        outer.add_edge("inner", "after")
        return outer.compile(checkpointer=saver)

    first, second = WorkflowSaver(), WorkflowSaver()
    await build(first).ainvoke({"path": []}, config(), durability="exit")
    second.restore(first.snapshots())
    state = await build(second).ainvoke({"path": []}, config(), durability="exit")

    assert state["path"] == ["call 1", "after", "call 2", "after"]
