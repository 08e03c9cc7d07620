"""Made-up values are of the right kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.graph import MessagesState, add_messages
from langgraph.types import Command
from pydantic import BaseModel, Field

from temporal.checking.examples import from_schema, of_type


class Colour(Enum):
    RED = "red"


class Line(BaseModel):
    article: str
    amount: int = Field(ge=3)
    note: str | None = None


@dataclass
class Journey:
    towns: list[str]
    left: int = 3


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, "example"),
        (int | None, 1),
        (Literal["a", "b"], "a"),
        (Annotated[list[int], "reducer"], [1]),
        (dict[str, Any], {}),
        (tuple[int, str], (1, "example")),
        (Colour, Colour.RED),
        (Journey, Journey(["example"])),
        (MessagesState, {"messages": [AIMessage("example")]}),
        (Annotated[list, add_messages], [AIMessage("example")]),
    ],
    ids=str,
)
def test_an_annotation_gives_a_value_of_its_kind(annotation: Any, expected: Any) -> None:
    assert of_type(annotation) == expected


def test_a_model_is_made_with_what_it_needs() -> None:
    assert of_type(Line) == Line.model_construct(article="example", amount=1)
    assert isinstance(of_type(datetime), datetime)


@pytest.mark.parametrize("annotation", [Any, Command, object], ids=str)
def test_an_annotation_that_says_nothing_is_said_so(annotation: Any) -> None:
    with pytest.raises(LookupError):
        of_type(annotation)


def test_arguments_that_are_made_up_pass_the_tools_own_validation() -> None:
    @tool
    def order(lines: list[Line], colour: Colour, day: datetime, rest: dict[str, int], limit: int = 3) -> str:
        """Order."""
        return f"{lines[0].article} {colour} {day} {rest} {limit}"

    schema = convert_to_openai_tool(order)["function"]["parameters"]

    assert order.invoke(from_schema(schema)) == "example Colour.RED 2030-01-02 03:04:05+00:00 {} 3"
