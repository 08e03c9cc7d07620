"""Graphs in graphs, agents in graphs, and agents that call agents."""

import operator
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, Send, interrupt

from agents.testing import call
from tests.integration.cases import add
from tests.integration.parity.case import Case, reacting
from tests.integration.parity.graphs import EMPTY, Totals, going_through, on_path


class Shared(TypedDict):
    path: Annotated[list[str], operator.add]


class Own(TypedDict):
    text: str
    trace: Annotated[list[str], operator.add]


def nested(_resources: Any) -> Any:
    """Two levels, all on one state: what a subgraph gives back goes through the reducer again."""
    innermost = going_through(Totals, lambda state: {"numbers": [len(state["path"])], "path": ["innermost"]}).compile()
    inner = going_through(Totals, on_path("inner"), innermost).compile()
    return going_through(Totals, on_path("outer"), inner, on_path("end"))


def own_state(_resources: Any) -> Any:
    """Called from functions, which turn one state into the other, on both levels."""

    async def shout(state: Own) -> dict[str, Any]:
        return {"text": state["text"] + "!", "trace": ["shout"]}

    innermost = going_through(Own, shout, shout).compile()

    async def middle(state: Own) -> dict[str, Any]:
        found = await innermost.ainvoke({"text": state["text"].upper(), "trace": []})
        return {"text": found["text"], "trace": [f"middle of {len(found['trace'])}"]}

    inner = going_through(Own, middle).compile()

    async def outer(state: Totals) -> dict[str, Any]:
        found = await inner.ainvoke({"text": "hello", "trace": state["path"]})
        return {"path": [found["text"], *found["trace"]]}

    return going_through(Totals, on_path("start"), outer)


def partly_shared(_resources: Any) -> Any:
    """A subgraph that shares one key of its state and keeps another for itself."""

    class Half(Shared):
        secret: str

    inner = going_through(
        Half, lambda _state: {"secret": "kept"}, lambda state: {"path": [f"knows it is {state['secret']}"]}
    )
    return going_through(Totals, inner.compile(), on_path("outer"))


def to_the_parent(_resources: Any) -> Any:
    """`Command.PARENT` leaves the subgraph for a node of the graph around it."""

    def leave(_state: Totals) -> Command:
        return Command(goto="target", update={"path": ["left"]}, graph=Command.PARENT)

    inner = StateGraph(Totals).add_node("leave", leave).add_node("never", on_path("never"))
    inner.add_edge(START, "leave").add_edge("leave", "never")
    graph = StateGraph(Totals).add_node("inner", inner.compile(), destinations=("target",))
    return graph.add_node("target", on_path("target")).add_edge(START, "inner")


def sent_to_subgraphs(_resources: Any) -> Any:
    """Several runs of one subgraph at once."""
    inner = going_through(
        Totals,
        lambda state: {"numbers": [state["numbers"][0] * 2]},
        lambda state: {"path": [f"{state['numbers'][-1]}"]},
    ).compile()
    graph = StateGraph(Totals).add_node("inner", inner)
    graph.add_conditional_edges(
        START, lambda _state: [Send("inner", {"numbers": [n], "path": []}) for n in range(5)], ["inner"]
    )
    return graph


def team(resources: Any) -> Any:
    """An agent as a subgraph of a hand-written graph, and a jump by `Command`."""

    class TeamState(MessagesState):
        verdict: str

    def judge(state: TeamState) -> Command:
        return Command(goto="praise", update={"verdict": state["messages"][-1].text})

    graph = StateGraph(TeamState)
    graph.add_node("worker", create_agent(resources.model(), resources.tools))
    graph.add_node("judge", judge, destinations=("praise",))
    graph.add_node("praise", lambda state: {"verdict": f"well done: {state['verdict']}"})
    return graph.add_edge(START, "worker").add_edge("worker", "judge")


def relay(resources: Any) -> Any:
    """Two agents of different models, each a node, on one conversation."""
    graph = StateGraph(MessagesState)
    graph.add_node("first", create_agent(resources.model(), resources.tools, name="first"))
    graph.add_node("second", create_agent(resources.model("second"), [], name="second"))
    return graph.add_edge(START, "first").add_edge("first", "second")


def asking_inside(_resources: Any) -> Any:
    """An interrupt two levels down, between nodes that must not run again."""

    def ask(_state: Totals) -> dict[str, Any]:
        return {"path": [f"said {interrupt('Go on?')}"]}

    innermost = going_through(Totals, on_path("before"), ask, on_path("after")).compile()
    inner = going_through(Totals, on_path("inner"), innermost).compile()
    return going_through(Totals, on_path("outer"), inner, on_path("end"))


def asking_side_by_side(_resources: Any) -> Any:
    """Two subgraphs ask at once."""

    def asking(who: str) -> Any:
        return going_through(Totals, lambda _state: {"path": [f"{who}: {interrupt(who)}"]}, on_path(f"{who} done"))

    graph = StateGraph(Totals).add_node("left", asking("left").compile()).add_node("right", asking("right").compile())
    graph.add_node("join", on_path("join"))
    return graph.add_edge(START, "left").add_edge(START, "right").add_edge(["left", "right"], "join")


def remembering(_resources: Any) -> Any:
    """A subgraph with a checkpointer of its own remembers from call to call."""
    inner = going_through(Totals, lambda state: {"numbers": [1], "path": [f"call {len(state['numbers']) + 1}"]})
    kept = inner.compile(checkpointer=True)

    async def again(_state: Totals) -> dict[str, Any]:
        found = await kept.ainvoke({"numbers": [], "path": []})
        return {"path": found["path"][-1:]}

    graph = StateGraph(Totals).add_node("again", again).add_edge(START, "again")
    graph.add_conditional_edges("again", lambda state: "again" if len(state["path"]) < 3 else "__end__")
    return graph


def asking_each_time(_resources: Any) -> Any:
    """A subgraph in a loop asks each time."""
    inner = going_through(Totals, lambda state: {"path": [interrupt(f"After {len(state['path'])}?")]}, on_path("on"))
    graph = StateGraph(Totals).add_node("inner", inner.compile()).add_edge(START, "inner")
    graph.add_conditional_edges("inner", lambda state: "inner" if len(state["path"]) < 12 else "__end__")
    return graph


def called_twice(_resources: Any) -> Any:
    """A function calls one subgraph twice, and both calls ask."""
    inner = going_through(Totals, lambda state: {"path": [interrupt(f"Number {len(state['path'])}?")]}).compile()

    async def twice(_state: Totals) -> dict[str, Any]:
        return await inner.ainvoke(await inner.ainvoke(EMPTY))

    return going_through(Totals, twice)


def over_before_a_question(resources: Any) -> Any:
    """A subgraph that a function has called is over when the next one asks: the answer does not begin it anew."""

    async def think(_state: Totals) -> dict[str, Any]:
        return {"path": [(await resources.model().ainvoke("Think.")).text]}

    thinking = going_through(Totals, think).compile()
    asking = going_through(Totals, lambda _state: {"path": [interrupt("Is it right?")]}).compile()

    async def both(_state: Totals) -> dict[str, Any]:
        thought, said = await thinking.ainvoke(EMPTY), await asking.ainvoke(EMPTY)
        return {"path": [*thought["path"], *said["path"]]}

    return going_through(Totals, both)


def supervising(resources: Any) -> Any:
    """An agent hands tasks over by tools that send them to a node of the graph around it."""

    async def work(given: dict[str, str]) -> dict[str, Any]:
        return {"messages": [await resources.model("worker").ainvoke(given["task"])]}

    graph = StateGraph(MessagesState).add_node("supervisor", create_agent(resources.model(), resources.tools))
    return graph.add_node("work", work).add_edge(START, "supervisor")


@tool
def delegate(task: str) -> Command:
    """Hand a task over."""
    return Command(goto=[Send("work", {"task": task})], graph=Command.PARENT, update={"messages": [("ai", "lost")]})


def asking_another(resources: Any) -> Any:
    """An agent that is a workflow of its own."""

    async def ask(state: Totals) -> dict[str, Any]:
        answers = [await resources.agent("called-agent").ainvoke(f"What is {n} + 1?") for n in state["numbers"]]
        return {"path": answers}

    return going_through(Totals, lambda _state: {"numbers": [1, 2]}, ask)


ADDING = [call("add", a=1, b=1), AIMessage("It is two.")]

CASES = [
    Case("nested", nested, EMPTY, steps=[]),
    Case("own-state", own_state, EMPTY, steps=[]),
    Case("partly-shared", partly_shared, EMPTY),
    Case("to-the-parent", to_the_parent, EMPTY),
    Case("sent-to-subgraphs", sent_to_subgraphs, EMPTY),
    Case(
        "team",
        team,
        {"messages": [("user", "work")]},
        ADDING,
        tools=[add],
        steps=["call_model", "add", "call_model"],
    ),
    Case(
        "relay",
        relay,
        "work",
        ADDING,
        tools=[add],
        models={"second": [*ADDING, AIMessage("Checked.")]},
        steps=["call_model", "add", "call_model", "call_model"],
    ),
    Case("asking-inside", asking_inside, EMPTY, answer=lambda value: f"yes to {value}", steps=[]),
    Case("asking-side-by-side", asking_side_by_side, EMPTY, answer=str.upper, steps=[]),
    Case("remembering", remembering, EMPTY),
    Case("asking-each-time", asking_each_time, EMPTY, answer=str.upper),
    Case("called-twice", called_twice, EMPTY, answer=str.upper),
    Case(
        "over-before-a-question",
        over_before_a_question,
        EMPTY,
        [AIMessage("It is two.")],
        answer=str.upper,
        steps=["call_model"],
    ),
    Case(
        "supervising",
        supervising,
        "work",
        [call("delegate", task="dig")],
        [delegate],
        {"worker": [AIMessage("Dug.")]},
        steps=["call_model", "delegate", "call_model"],
    ),
    Case(
        "asking-another",
        asking_another,
        EMPTY,
        called=[Case("called-agent", reacting(), "", ADDING, tools=[add])],
        steps=[],
    ),
]
