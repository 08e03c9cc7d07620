"""State graphs: channels of every kind, models in models, and conversations that begin anew."""

import operator
from collections.abc import Sequence
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage
from langgraph.channels import DeltaChannel, EphemeralValue, Topic, UntrackedValue
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, RemoveMessage
from langgraph.types import interrupt
from pydantic import BaseModel, ConfigDict, Field

from tests.integration.parity.case import Case
from tests.integration.parity.graphs import going_through


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    model_config = ConfigDict(frozen=True)

    street: str
    zip_code: str = Field(alias="zipCode")


class Person(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    name: str
    nick: str = Field(default="", alias="nickName")
    colour: Colour = Colour.RED
    balance: Decimal = Decimal("0.10")
    tags: set[str] = set()
    addresses: list[Address] = []
    log: Annotated[list[str], operator.add] = []


def kinds_of_channels(_resources: Any) -> Any:
    """What is kept for one superstep, what is gathered, and what no checkpoint has."""

    class Channels(TypedDict):
        heard: Annotated[list[str], Topic(str)]
        gathered: Annotated[list[str], Topic(str, accumulate=True)]
        brief: Annotated[str, EphemeralValue(str)]
        opened: Annotated[object, UntrackedValue(object)]
        path: Annotated[list[str], operator.add]

    def look(state: Channels) -> dict[str, Any]:
        return {"gathered": "more", "path": [f"{sorted(state)} {state.get('heard')} {state.get('gathered')}"]}

    return going_through(
        Channels,
        lambda _state: {"heard": "once", "gathered": ["x", "y"], "brief": "b", "opened": object},
        look,
        lambda _state: {"path": [interrupt("Go on?")]},
        look,
        lambda _state: {"opened": object},
    )


def kept_by_changes(_resources: Any) -> Any:
    """A `DeltaChannel`, with a question between two of its snapshots."""

    def extend(state: list[str] | None, writes: Sequence[list[str]]) -> list[str]:
        return [*(state or []), *(each for write in writes for each in write)]

    class Items(TypedDict):
        items: Annotated[list[str], DeltaChannel(extend, snapshot_frequency=2)]

    def count(state: Items) -> dict[str, Any]:
        return {"items": [f"after {len(state['items'])}"]}

    return going_through(Items, count, count, lambda _state: {"items": [interrupt("Which?")]}, count)


def nested_models(_resources: Any) -> Any:
    """Enums, decimals, aliases and models in a model, before and after a question."""

    def change(person: Person) -> dict[str, Any]:
        home = Address(street="Via Appia", zipCode="00178")
        return {"colour": Colour.BLUE, "balance": person.balance * 3, "tags": {"b", "a"}, "addresses": [home]}

    def ask(person: Person) -> dict[str, Any]:
        return {"log": [interrupt({"name": person.name, "colour": person.colour, "balance": person.balance})]}

    def look(person: Person) -> dict[str, Any]:
        return {"log": [f"{person.colour!r} {person.balance} {sorted(person.tags)} {person.addresses} {person.nick}"]}

    return going_through(Person, change, ask, look)


def of_a_list(_resources: Any) -> Any:
    """The state is one value."""
    graph = StateGraph(Annotated[list, operator.add])
    graph.add_node("count", lambda state: [len(state)]).add_node("double", lambda state: [state[-1] * 2])
    return graph.add_edge(START, "count").add_edge("count", "double")


def begun_anew(_resources: Any) -> Any:
    """All messages are removed, and one id is used again."""
    return going_through(
        MessagesState,
        lambda _state: {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES), ("ai", "fresh"), ("user", "again")]},
        lambda _state: {"messages": [AIMessage("named", id="mine", name="n")]},
        lambda state: {"messages": [RemoveMessage(id=state["messages"][0].id), AIMessage("renamed", id="mine")]},
    )


CASES = [
    Case("kinds-of-channels", kinds_of_channels, {"path": []}, answer=str.upper),
    Case("kept-by-changes", kept_by_changes, {"items": ["in"]}, answer=str.upper),
    Case("nested-models", nested_models, {"name": "Ada", "nickName": "A"}, answer=lambda value: value["name"]),
    Case("state-of-a-list", of_a_list, [5]),
    Case("begun-anew", begun_anew, "zero"),
]
