"""State graphs: where they go next, branches, joins and fan-outs."""

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send

from tests.integration.cases import multiply
from tests.integration.parity.case import Case
from tests.integration.parity.graphs import EMPTY, Totals, on_path


def branching(_resources: Any) -> Any:
    """Synchronous nodes, a synchronous conditional edge, a lambda, a loop and a join."""

    def grow(state: Totals) -> dict[str, Any]:
        return {"numbers": [len(state["numbers"])], "path": ["grow"]}

    async def left(_state: Totals) -> dict[str, Any]:
        return {"path": ["left"]}

    def route(state: Totals) -> list[str] | str:
        return "grow" if len(state["numbers"]) < 3 else ["left", "right"]

    graph = StateGraph(Totals)
    graph.add_node("grow", grow)
    graph.add_node("left", left)
    graph.add_node("right", on_path("right"))
    graph.add_node("join", lambda state: {"path": [f"join {sum(state['numbers'])}"]})
    graph.add_edge(START, "grow")
    graph.add_conditional_edges("grow", route, ["grow", "left", "right"])
    graph.add_edge(["left", "right"], "join")
    graph.add_edge("join", END)
    return graph


def routed_by_name(_resources: Any) -> Any:
    async def route(state: Totals) -> Literal["even", "odd"]:
        return "odd" if len(state["numbers"]) % 2 else "even"

    graph = StateGraph(Totals).add_node("add", lambda _state: {"numbers": [1]})
    graph.add_node("even", on_path("even")).add_node("odd", on_path("odd"))
    graph.add_edge(START, "add")
    graph.add_conditional_edges("add", route)
    graph.add_edge("odd", END)
    return graph


def routed_by_map(_resources: Any) -> Any:
    graph = StateGraph(Totals).add_node("yes", on_path("yes")).add_node("no", on_path("no"))
    graph.add_conditional_edges(START, lambda state: bool(state["numbers"]), {True: "yes", False: "no"})
    return graph


def waiting(_resources: Any) -> Any:
    """Branches of different lengths meet once."""
    graph = StateGraph(Totals)
    for name in ("short", "long", "longer", "join"):
        graph.add_node(name, on_path(name))
    graph.add_edge(START, "short").add_edge(START, "long").add_edge("long", "longer")
    graph.add_edge(["short", "longer"], "join")
    return graph


def deferred(_resources: Any) -> Any:
    """A deferred node waits for branches that no edge names."""
    graph = StateGraph(Totals)
    for name in ("short", "long", "longer"):
        graph.add_node(name, on_path(name))
    graph.add_node("last", lambda state: {"path": [f"after {len(state['path'])}"]}, defer=True)
    graph.add_edge(START, "short").add_edge(START, "long").add_edge("long", "longer")
    return graph.add_edge("short", "last").add_edge("longer", "last")


def fan_out(_resources: Any) -> Any:
    async def square(number: int) -> dict[str, Any]:
        return {"numbers": [number * number]}

    graph = StateGraph(Totals).add_node("square", square)
    graph.add_node("sum", lambda state: {"path": [str(sum(state["numbers"]))]})
    graph.add_conditional_edges(START, lambda _state: [Send("square", number) for number in range(100)], ["square"])
    return graph.add_edge("square", "sum")


def narrow_fan_out(resources: Any) -> Any:
    return fan_out(resources).compile().with_config(max_concurrency=7)


def fan_out_of_steps(resources: Any) -> Any:
    """Each part of the fan-out calls a tool."""

    async def square(number: int) -> dict[str, Any]:
        [multiply] = resources.tools
        return {"numbers": [await multiply.ainvoke({"a": number, "b": number})]}

    graph = StateGraph(Totals).add_node("square", square)
    graph.add_node("sum", lambda state: {"path": [str(sum(state["numbers"]))]})
    graph.add_conditional_edges(START, lambda _state: [Send("square", number) for number in range(12)], ["square"])
    return graph.add_edge("square", "sum").compile().with_config(max_concurrency=4)


def map_and_reduce(_resources: Any) -> Any:
    """Sends from a node by `Command`, and again from those that were sent to."""

    def split(_state: Totals) -> Command:
        return Command(goto=[Send("part", {"number": number}) for number in range(3)], update={"path": ["split"]})

    def part(given: dict[str, int]) -> Command:
        return Command(goto=Send("leaf", given["number"] * 10), update={"numbers": [given["number"]]})

    graph = StateGraph(Totals).add_node("split", split, destinations=("part",)).add_edge(START, "split")
    graph.add_node("part", part, destinations=("leaf",))
    return graph.add_node("leaf", lambda number: {"numbers": [number]})


def names_and_sends(_resources: Any) -> Any:
    """One command goes to a node by its name, to another by two sends, and to the end."""

    def first(_state: Totals) -> Command:
        sends = [Send("sent", {"path": [word]}) for word in ("one", "two")]
        return Command(goto=["named", *sends, END], update=[("path", ["first"]), ("numbers", [1])])

    graph = StateGraph(Totals).add_node("first", first, destinations=("named", "sent")).add_edge(START, "first")
    graph.add_node("named", lambda state: {"path": [f"named after {state['numbers']}"]})
    graph.add_node("sent", lambda given: {"path": [f"sent {given['path']}"]})
    graph.add_node("last", lambda state: {"path": [f"after {len(state['path'])}"]}, defer=True)
    return graph.add_edge("named", "last").add_edge("sent", "last")


def jumping(_resources: Any) -> Any:
    def first(state: Totals) -> Command[Literal["first", "second"]]:
        done = len(state["path"]) >= 2
        return Command(goto="second" if done else "first", update={"path": ["first"]})

    graph = StateGraph(Totals).add_node("first", first).add_edge(START, "first")
    return graph.add_node("second", lambda _state: [{"path": ["one"]}, Command(update={"path": ["two"]})])


def parallel_lists(_resources: Any) -> Any:
    """Writes of one superstep are reduced in the order of the nodes, not in that in which they end."""
    graph = StateGraph(Totals)
    for name in "dbca":
        graph.add_node(name, on_path(name)).add_edge(START, name)
    return graph


CASES = [
    Case("branching", branching, EMPTY, steps=[]),
    Case("routed-by-name", routed_by_name, EMPTY),
    Case("routed-by-map", routed_by_map, {"numbers": [1], "path": []}),
    Case("waiting", waiting, EMPTY),
    Case("deferred", deferred, EMPTY),
    Case("fan-out", fan_out, EMPTY, steps=[]),
    Case("narrow-fan-out", narrow_fan_out, EMPTY),
    Case("map-and-reduce", map_and_reduce, EMPTY),
    Case("names-and-sends", names_and_sends, EMPTY),
    Case("jumping", jumping, EMPTY),
    Case("parallel-lists", parallel_lists, EMPTY),
    Case("fan-out-of-steps", fan_out_of_steps, {"numbers": [], "path": []}, tools=[multiply], steps=["multiply"] * 12),
]
