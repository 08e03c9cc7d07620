"""The event protocol: what is written can be read, and is what docs/streaming.md says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage

from activities.events import (
    EVENTS,
    MOST_BYTES,
    CustomEvent,
    TokenEvent,
    UpdateEvent,
    decoded,
    encoded,
    namespace_of,
    schema,
)


def told(**fields: Any) -> Any:
    return decoded(encoded("run", "update", 1, node="model", **fields), identifier="1.7")


def test_what_is_written_can_be_read() -> None:
    event = decoded(encoded("run", "token", 3, step="x/1", attempt=2, message="m", text="Hello"), identifier="4.9")

    assert event == TokenEvent(
        id="4.9", run="run", sequence=3, step="x/1", attempt=2, message="m", text="Hello", type="token"
    )


def test_messages_are_told_as_langchain_writes_them() -> None:
    event = told(value={"messages": [AIMessage("Hello", id="m")]})

    assert event.value["messages"][0]["id"] == "m"
    assert event.value["messages"][0]["content"] == "Hello"


def test_what_is_no_json_is_described() -> None:
    class Odd:
        pass

    assert told(value={"odd": Odd(), "number": float("nan"), "data": b"abc"}).value == {
        "odd": "<Odd>",
        "number": None,
        "data": "YWJj",
    }


def test_a_circle_and_half_a_character_are_left_out() -> None:
    circle: list[Any] = []
    circle.append(circle)

    for value in (circle, "\ud800"):
        event = told(value=value)
        assert isinstance(event, UpdateEvent)
        assert (event.value, event.omitted) == (None, 0)


def test_an_event_that_is_too_large_goes_without_its_value_and_says_so() -> None:
    event = told(value="x" * MOST_BYTES)

    assert event.value is None
    assert event.omitted > MOST_BYTES


def test_an_event_of_a_later_version_is_passed_over() -> None:
    @dataclass
    class Later:
        value: int

    assert decoded(json.dumps({"v": 1, "run": "run", "type": "dream", "sequence": 1})) is None
    assert decoded(encoded("run", "update", 1, node="model", value=Later(1), colour="blue")) is not None


def test_a_namespace_is_that_of_the_graph_around_the_task() -> None:
    assert namespace_of("sub:1|inner:2") == ["sub:1"]
    assert namespace_of("model:1") == []
    assert namespace_of("") == []


def test_every_type_has_a_default_type_and_is_in_the_schema() -> None:
    names = set(EVENTS.json_schema(mode="serialization")["discriminator"]["mapping"])

    assert names == {
        *("run", "step", "token", "reset", "custom", "update", "values", "task", "debug", "interrupt", "usage"),
        *("result", "gap", "snapshot"),
    }


DOCS = Path(__file__).parents[3] / "docs"


def test_the_schema_of_the_docs_is_the_code_s() -> None:
    assert json.loads((DOCS / "events.schema.json").read_text()) == schema(), "python scripts/event_schema.py"


def test_the_docs_tell_of_every_type_and_field() -> None:
    page = (DOCS / "streaming.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    common = set(CustomEvent.model_fields) - {"value"}

    for name, reference in schema()["discriminator"]["mapping"].items():
        fields = set(schema()["$defs"][reference.rpartition("/")[2]]["properties"]) - common
        assert all(f"`{field}`" in rows[name] for field in fields), (name, fields)
    assert all(field in rows for field in common)
