"""The saver keeps what LangGraph needs, and no more."""

import operator
from typing import Annotated, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from workflows.checkpoints import WorkflowSaver


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
    assert 2 <= len(kept) <= 4
    assert len(saver._values) < 15
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
    assert not saver._values
    assert not saver._writes
