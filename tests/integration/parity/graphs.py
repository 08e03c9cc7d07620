"""State graphs: kinds of state, of nodes and of edges."""

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired, TypedDict

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnableParallel
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import RemoveMessage, add_messages, push_message
from langgraph.graph.ui import AnyUIMessage, delete_ui_message, push_ui_message, ui_message_reducer
from langgraph.managed import IsLastStep, RemainingSteps
from langgraph.runtime import Runtime
from langgraph.types import Overwrite
from pydantic import BaseModel, Field, field_validator

from tests.integration.parity.case import Case


class Totals(TypedDict):
    numbers: Annotated[list[int], operator.add]
    path: Annotated[list[str], operator.add]


EMPTY: dict[str, Any] = {"numbers": [], "path": []}


class Order(BaseModel):
    item: str
    count: int = Field(gt=0)
    notes: Annotated[list[str], operator.add] = []

    @field_validator("item")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.lower()


@dataclass
class Trip:
    stops: Annotated[list[str], operator.add] = field(default_factory=list)
    length: float = 0.0


def going_through(schema: Any, *nodes: Any, **options: Any) -> Any:
    """A graph of nodes one after the other."""
    graph = StateGraph(schema, **options)
    before = START
    for place, node in enumerate(nodes):
        name = f"node-{place}"
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    return graph


def on_path(name: str) -> Any:
    return lambda _state: {"path": [name]}


def kinds_of_nodes(_resources: Any) -> Any:
    class Object:
        def __call__(self, _state: Totals) -> dict[str, Any]:
            return {"path": ["object"]}

    class AsyncCallable:
        async def __call__(self, _state: Totals) -> dict[str, Any]:
            return {"path": ["async object"]}

    class Holder:
        def method(self, _state: Totals) -> dict[str, Any]:
            return {"path": ["method"]}

    def named(name: str, _state: Totals) -> dict[str, Any]:
        return {"path": [name]}

    async def named_later(_state: Totals, *, name: str) -> dict[str, Any]:
        return {"path": [name]}

    return going_through(
        Totals,
        on_path("lambda"),
        Object(),
        AsyncCallable(),
        Holder().method,
        functools.partial(named, "partial"),
        functools.partial(named_later, name="async partial"),
        RunnableLambda(on_path("runnable")),
        RunnableParallel(path=lambda _state: ["parallel"], numbers=lambda state: [len(state["path"])]),
    )


def overwriting(_resources: Any) -> Any:
    return going_through(Totals, on_path("a"), lambda _state: {"path": Overwrite(["only"])}, on_path("b"))


def own_reducers(_resources: Any) -> Any:
    def merge(left: dict[str, Any] | None, right: dict[str, Any]) -> dict[str, Any]:
        return {**(left or {}), **right}

    class Merged(TypedDict):
        seen: Annotated[set[str], operator.or_]
        best: Annotated[int, lambda left, right: max(left, right)]  # noqa: PLW0108 -- `max` shows no signature
        settings: Annotated[dict[str, Any], merge]
        last: str

    return going_through(
        Merged,
        lambda _state: {"seen": {"a", "b"}, "best": 3, "settings": {"x": 1}, "last": "first"},
        lambda state: {"seen": {"c"}, "best": 2, "settings": {"y": len(state["seen"])}, "last": "second"},
    )


def validated(_resources: Any) -> Any:
    return going_through(
        Order,
        lambda order: {"count": order.count + 1, "notes": [order.item]},
        lambda order: {"notes": [f"{type(order).__name__} of {order.count}"]},
    )


def of_dataclass(_resources: Any) -> Any:
    async def travel(trip: Trip) -> dict[str, Any]:
        return {"stops": ["Rome"], "length": trip.length + 1.5}

    return going_through(Trip, travel, lambda trip: Trip(stops=[f"{len(trip.stops)} so far"], length=trip.length * 2))


def narrow_schemas(_resources: Any) -> Any:
    """What goes in and comes out is less than the state; a node sees a state of its own."""

    class Whole(TypedDict):
        question: str
        draft: str
        answer: str

    class Asked(TypedDict):
        question: str

    class Answered(TypedDict):
        answer: str

    class Private(TypedDict):
        secret: str

    def think(state: Asked) -> Private:
        return {"secret": f"about {state['question']}"}

    def answer(state: Private) -> dict[str, str]:
        return {"answer": state["secret"].upper(), "draft": "thrown away"}

    return going_through(Whole, think, answer, input_schema=Asked, output_schema=Answered)


def conversation(_resources: Any) -> Any:
    """Messages that are added, replaced and removed by id."""

    def change(state: MessagesState) -> dict[str, Any]:
        first, second = state["messages"][:2]
        return {"messages": [second.model_copy(update={"content": "changed"}), RemoveMessage(id=first.id)]}

    return going_through(
        MessagesState,
        lambda _state: {"messages": [("ai", "one"), {"role": "user", "content": "two"}]},
        change,
        lambda state: {"messages": ("ai", f"{len(state['messages'])} left")},
    )


def values_of_all_kinds(_resources: Any) -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415
    from decimal import Decimal  # noqa: PLC0415

    class Kinds(TypedDict):
        said: list[str]
        kept: Any

    kept = {
        "bytes": b"\x00\xff",
        "tuple": (1, (2,)),
        "decimal": Decimal("1.10"),
        "at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return going_through(
        Kinds,
        lambda _state: {"kept": kept | {"trip": Trip(["Rome"], 1.0)}},
        lambda state: {"said": [type(each).__name__ for each in state["kept"].values()]},
    )


def told_of_its_run(_resources: Any) -> Any:
    """Config, runtime, managed values and the writer, by the names that LangGraph gives them."""

    class Managed(TypedDict):
        path: Annotated[list[str], operator.add]
        is_last: IsLastStep
        remaining: RemainingSteps

    async def look(state: Managed, config: RunnableConfig, runtime: Runtime) -> dict[str, Any]:
        metadata = config["metadata"]
        runtime.stream_writer({"node": metadata["langgraph_node"]})
        get_stream_writer()("again")
        return {"path": [f"{metadata['langgraph_step']} {state['remaining']} {state['is_last']} {runtime.previous}"]}

    return going_through(Managed, look, look)


def pushing(_resources: Any) -> Any:
    """Messages and parts of a user interface that go to the stream before the node ends."""

    class Shown(MessagesState):
        ui: Annotated[Sequence[AnyUIMessage], ui_message_reducer]

    def show(_state: Shown) -> dict[str, Any]:
        said = push_message(AIMessage("Look.", id="said"))
        push_ui_message("card", {"town": "Rome"}, message=said)
        push_ui_message("card", {"town": "Oslo"}, id="second")
        return {}

    def change(state: Shown) -> None:
        push_ui_message("card", {"sunny": True}, id="second", merge=True)
        delete_ui_message(state["ui"][0]["id"])

    return going_through(Shown, show, change)


def with_no_answer(_resources: Any) -> Any:
    return going_through(Totals, lambda _state: None, lambda _state: {}, on_path("end"))


def in_sequence(_resources: Any) -> Any:
    class Chatty(TypedDict):
        messages: Annotated[list[Any], add_messages]
        mood: NotRequired[str]

    graph = StateGraph(Chatty).add_sequence([("greet", lambda _state: {"messages": ["hello"]}), ("mood", _mood)])
    return graph.add_edge(START, "greet").set_finish_point("mood")


def _mood(state: Any) -> dict[str, Any]:
    return {"mood": f"good after {len(state['messages'])}"}


CASES = [
    Case("kinds-of-nodes", kinds_of_nodes, EMPTY, steps=[]),
    Case("overwriting", overwriting, EMPTY),
    Case("own-reducers", own_reducers, {"best": 1}),
    Case("pydantic-state", validated, {"item": "LAMP", "count": 1}),
    Case("dataclass-state", of_dataclass, {"stops": ["Oslo"], "length": 1.0}),
    Case("narrow-schemas", narrow_schemas, {"question": "why"}),
    Case("conversation", conversation, "zero"),
    Case("values-of-all-kinds", values_of_all_kinds, {"said": [], "kept": None}),
    Case("told-of-its-run", told_of_its_run, {"path": []}),
    Case("pushing", pushing, "show me"),
    Case("nodes-without-answer", with_no_answer, EMPTY),
    Case("in-sequence", in_sequence, {"messages": []}),
]
