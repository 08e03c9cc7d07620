"""LangGraph streams to the run at every depth, and where it keeps what that takes."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.config import get_store, get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from temporalio.worker._workflow_instance import _ActivityHandle

from workflows.events import RunEvents, activity_id, told_already
from workflows.journal import Journal
from workflows.streaming import streaming


class State(TypedDict):
    count: int


class Heard(RunEvents):
    """Keeps what it is told without a workflow."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, dict[str, Any]]] = []

    def tell(self, type_: str, **fields: Any) -> None:
        self.told.append((type_, fields))


def graph(node: Any) -> Any:
    inner: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    inner.add_node("inner", node)
    inner.add_edge(START, "inner")
    outer: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    outer.add_node("outer", inner.compile())
    outer.add_edge(START, "outer")
    return outer.compile()


async def test_a_graph_and_its_subgraphs_stream_to_the_run() -> None:
    async def count(state: State) -> State:
        get_stream_writer()("counting")
        with told_already():
            get_stream_writer()("told by a step")
        return {"count": state["count"] + 1}

    events = Heard()
    config = streaming(events, Journal(), {"configurable": {"thread_id": "t"}}, InMemoryStore())

    state = await graph(count).ainvoke({"count": 1}, config)

    told = [(type_, fields.get("node"), len(fields.get("namespace", []))) for type_, fields in events.told]
    assert told == [
        ("task", "outer", 0),
        ("task", "inner", 1),
        ("custom", None, 1),
        ("update", "inner", 1),
        ("task", "inner", 1),
        ("update", "outer", 0),
        ("task", "outer", 0),
    ]
    assert state == events.values == {"count": 2}


async def test_a_graph_finds_its_store_while_it_streams() -> None:
    found = []

    async def look(state: State) -> State:
        found.append(get_store())
        return state

    store = InMemoryStore()
    config = streaming(Heard(), Journal(), {"configurable": {"thread_id": "t"}}, store)

    await graph(look).copy({"store": store}).ainvoke({"count": 1}, config)

    assert found == [store]


def test_the_sdk_numbers_its_activities_where_it_did() -> None:
    handle = _ActivityHandle.__new__(_ActivityHandle)
    handle._seq = 17

    assert "_seq" in _ActivityHandle.__init__.__code__.co_names
    assert activity_id(handle) == "17"
