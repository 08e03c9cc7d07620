"""What a check gives to an agent, and to its model's place, where nobody says it."""

from __future__ import annotations

from typing import TypedDict

from langchain_core.messages import AIMessage
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph

from agents import Agent, Registry
from temporal.checking.building import Subject, model_name
from temporal.checking.record import Script
from temporal.checking.running import QUESTION, made_up_input, messages_of
from workflows.graph import Graphs


class Order(TypedDict):
    article: str
    amounts: list[int]


class Talk(MessagesState):
    topic: str


@task
def price(article: str) -> int:
    return len(article)


@entrypoint()
async def total(articles: list[str]) -> int:
    return sum([await price(article) for article in articles])


def subject(graph: object, **options: object) -> Subject:
    agent = Agent("one", lambda _resources: graph, **options)  # type: ignore[arg-type]
    registry = Registry.of([agent])
    return Subject(agent, registry, Graphs.of(registry, model_name))


def of_state(schema: type) -> Subject:
    return subject(StateGraph(schema).add_node("node", lambda _state: {}).add_edge(START, "node"))


def test_a_graph_is_given_what_its_state_needs() -> None:
    assert made_up_input(of_state(Order)) == {"article": "example", "amounts": [1]}
    assert made_up_input(of_state(MessagesState)) == QUESTION
    assert made_up_input(of_state(Talk)) == {"messages": [{"role": "user", "content": QUESTION}], "topic": "example"}


def test_a_functional_graph_is_given_its_first_argument() -> None:
    assert made_up_input(subject(total, activity_options={"price": {"execute_in": "activity"}})) == ["example"]


def test_a_script_is_texts_and_messages_whose_calls_need_no_ids() -> None:
    calling, answering = messages_of(Script(model=[{"tool_calls": [{"name": "buy"}]}, "Bought."])) or []

    assert calling.tool_calls == [{"name": "buy", "args": {}, "id": "call-1-1", "type": "tool_call"}]
    assert answering == AIMessage("Bought.")
