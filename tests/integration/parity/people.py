"""Interrupts: one, several, side by side, in tools and in loops. People answer both sides alike."""

from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from agents.testing import call
from tests.integration.cases import add, confirm
from tests.integration.parity.case import Case, reacting
from tests.integration.parity.graphs import EMPTY, Totals, going_through, on_path


def one(_resources: Any) -> Any:
    return going_through(
        Totals, on_path("before"), lambda _state: {"path": [interrupt({"question": "Your name?"})]}, on_path("after")
    )


def two_in_one_node(_resources: Any) -> Any:
    def ask(_state: Totals) -> dict[str, Any]:
        name = interrupt("Your name?")
        town = interrupt({"question": "Your town?", "name": name})
        return {"path": [f"{name} of {town}"]}

    return going_through(Totals, ask)


def side_by_side(_resources: Any) -> Any:
    """Two nodes ask and a third does not: it must not run again."""
    graph = StateGraph(Totals).add_node("free", on_path("free"))
    for name in ("left", "right"):
        graph.add_node(name, lambda _state, name=name: {"path": [f"{name} {interrupt(name)}"]})
    for name in ("free", "left", "right"):
        graph.add_edge(START, name)
    return graph.add_node("join", on_path("join")).add_edge(["free", "left", "right"], "join")


def sent(_resources: Any) -> Any:
    """Each part of a fan-out asks for itself."""
    graph = StateGraph(Totals).add_node("ask", lambda number: {"numbers": [interrupt(number)]})
    graph.add_conditional_edges(START, lambda _state: [Send("ask", number) for number in range(4)], ["ask"])
    return graph


def until_right(_resources: Any) -> Any:
    """Asks again, by a loop in the node and by a loop of the graph."""

    def ask(state: Totals) -> Command:
        said = interrupt(f"A number? ({len(state['numbers'])})")
        while not isinstance(said, int):
            said = interrupt(f"A number, please, not {said!r}")
        return Command(update={"numbers": [said]}, goto="ask" if len(state["numbers"]) < 2 else "end")

    graph = StateGraph(Totals).add_node("ask", ask, destinations=("ask", "end")).add_edge(START, "ask")
    return graph.add_node("end", lambda state: {"path": [str(state["numbers"])]})


def a_number(question: str) -> Any:
    return 7 if "please" in question or "(1)" in question else "seven"


@tool
def survey(topic: str) -> str:
    """Ask two things."""
    first = interrupt(f"First about {topic}?")
    second = interrupt(f"Then about {first}?")
    return f"{first}, {second}"


def approved_step(resources: Any) -> Any:
    """A node that calls a model before it asks calls it again with the answer, as a node begins anew."""

    async def ask(_state: Totals) -> dict[str, Any]:
        draft = await resources.model().ainvoke("Draft it.")
        return {"path": [draft.text, interrupt({"send": draft.text})]}

    return going_through(Totals, ask)


DONE = AIMessage("Done.")
REFUND = [call("confirm", action="refund"), DONE]

CASES = [
    Case("one-question", one, EMPTY, answer=lambda value: f"answer to {value['question']}", steps=[]),
    Case("two-in-one-node", two_in_one_node, EMPTY, answer=lambda value: "Ada" if value == "Your name?" else "London"),
    Case("questions-side-by-side", side_by_side, EMPTY, answer=str.upper),
    Case("questions-of-a-fan-out", sent, EMPTY, answer=lambda number: number * 10),
    Case("until-right", until_right, EMPTY, answer=a_number),
    Case("question-of-a-tool", reacting(), "please", REFUND, [confirm], answer=lambda _value: "yes"),
    Case(
        "two-questions-of-a-tool", reacting(), "please", [call("survey", topic="tea"), DONE], [survey], answer=str.lower
    ),
    Case(
        # side by side, plain LangGraph streams what the tool gave before the question or after it, as it happens
        "question-after-a-tool",
        reacting(),
        "please",
        [call("add", "c", a=1, b=1), call("confirm", "one", action="a"), DONE],
        [confirm, add],
        answer=lambda value: f"ok {value['confirm']}",
    ),
    Case("question-after-a-step", approved_step, EMPTY, [AIMessage("Dear Ada")], answer=lambda _value: "sent"),
    Case("question-with-null", one, EMPTY, answer=lambda _value: None),
]
