"""Values cross with their types, or not at all."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.types import Command, Send
from pydantic import BaseModel

from activities.wire import decode, dump_message, encode, load_message, types_in
from agents.errors import UnsupportedValue


class Colour(Enum):
    RED = "r"


@dataclass
class Place:
    name: str
    colour: Colour


class Order(BaseModel):
    id: int
    place: Place
    due: date | None = None


TYPES = types_in([list[Order]])


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**100),
        1.5,
        "text",
        "half a pair \ud83d",
        [1, [2, "three"]],
        {"a": {"b": None}},
        {1: "one", (2, 3): "pair"},
        {"$type": "not a tag"},
        (1, (2,)),
        {1, 2},
        frozenset({"x"}),
        b"\x00\xff",
        datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        date(2026, 1, 2),
        timedelta(days=-1, microseconds=3),
        Decimal("0.10"),
        UUID(int=7),
        Colour.RED,
        Place("here", Colour.RED),
        Order(id=1, place=Place("there", Colour.RED), due=date(2026, 1, 2)),
        Document(page_content="page", id="1", metadata={"n": 1}),
        Send("node", {"x": (1,)}),
        Command(update={"messages": [HumanMessage("hi", id="h")]}, goto=[Send("node", 1), "end"]),
        HumanMessage("hello", id="1"),
        AIMessage("", id="2", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c"}]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_as_it_was(value) -> None:
    carried = json.loads(json.dumps(encode(value)))

    assert decode(carried, TYPES) == value
    assert type(decode(carried, TYPES)) is type(value)


def test_a_command_to_the_parent_is_one_to_langgraph() -> None:
    command = decode(json.loads(json.dumps(encode(Command(goto=[Send("node", 1)], graph=Command.PARENT)))), {})

    assert command.graph is Command.PARENT


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_number_comes_back(value) -> None:
    assert decode(json.loads(json.dumps(encode(value), allow_nan=False)), {}) == value


def test_not_a_number_comes_back() -> None:
    assert math.isnan(decode(json.loads(json.dumps(encode(math.nan), allow_nan=False)), {}))


def test_an_artifact_comes_back_with_its_type() -> None:
    message = ToolMessage("found", tool_call_id="c", artifact=[Document(page_content="page")])

    assert decode(encode([message]), {})[0].artifact == message.artifact


def test_a_value_that_cannot_cross_is_refused_with_its_path() -> None:
    with pytest.raises(UnsupportedValue, match=r"state\.files\[1\] is a _thread:lock, which can't cross"):
        encode({"files": [1, __import__("threading").Lock()]}, path="state")


def test_a_type_that_the_agent_does_not_declare_is_refused() -> None:
    with pytest.raises(UnsupportedValue, match=r"test_wire:Order is not among the agent's types"):
        decode(encode(Order(id=1, place=Place("x", Colour.RED))), {})


@pytest.mark.parametrize("tag", ["pickle", "lc", "object", "__reduce__"])
def test_an_unknown_tag_builds_nothing(tag) -> None:
    with pytest.raises(UnsupportedValue, match="no type that Perdure wrote"):
        decode({"$type": tag, "value": ["os:system", "true"]}, TYPES)


def test_a_message_is_small_on_the_wire() -> None:
    message = ToolMessage("x" * 100, tool_call_id="call-1", name="add", id="b2f0b1b2-9b0a-4c6e-8a40-1f3d3f5a1c11")

    assert len(json.dumps(dump_message(message))) < 260
    assert load_message(dump_message(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("half a pair \ud83d"),
        AIMessage("", tool_calls=[{"name": "add", "args": {"a": "\ud83d"}, "id": "c"}]),
        ToolMessage([{"type": "text", "text": "\udc00"}], tool_call_id="c"),
        AIMessage("", additional_kwargs={"$type": "\ud83d"}),
    ],
    ids=["text", "arguments", "parts", "tag"],
)
def test_a_message_of_what_no_json_text_holds_comes_back(message) -> None:
    carried = json.loads(json.dumps(dump_message(message), allow_nan=False, ensure_ascii=False).encode())

    assert load_message(carried) == message
    assert load_message(carried).content == message.content


def test_the_types_of_fields_are_found() -> None:
    assert {name.partition(":")[2] for name in TYPES} == {"Order", "Place", "Colour"}
