"""What a worker refuses before it takes up a run."""

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore

from agents import Agent
from agents.registry import Registry
from workflows.graph import Graphs


def graphs_of(build) -> Graphs:
    return Graphs.of(Registry.of([Agent("one", build)]), lambda name: name or "scripted")


def outline() -> StateGraph:
    return StateGraph(MessagesState).add_node("node", lambda _state: {}).add_edge(START, "node")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"store": InMemoryStore()}, "store. A store of its own would outlive a replay"),
        ({"interrupt_before": ["node"]}, "interrupt_before_nodes. Breakpoints of a graph are not supported yet"),
        ({"interrupt_after": ["node"]}, "interrupt_after_nodes. Breakpoints of a graph are not supported yet"),
    ],
    ids=["store", "before", "after"],
)
def test_what_a_run_cannot_honour_is_refused_with_the_reason(arguments, words) -> None:
    with pytest.raises(ValueError, match=f"Agent 'one': its graph is compiled with {words}"):
        graphs_of(lambda _resources: outline().compile(**arguments))


def test_a_build_that_returns_no_graph_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Agent 'one': build\(\) returned a str"):
        graphs_of(lambda _resources: "graph")


def test_a_graph_may_come_compiled_or_not() -> None:
    assert graphs_of(lambda _resources: outline()).compiled["one"].nodes.keys() >= {"node"}
    assert graphs_of(lambda _resources: outline().compile()).compiled["one"].nodes.keys() >= {"node"}
