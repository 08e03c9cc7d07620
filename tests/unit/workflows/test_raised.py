"""What an activity raised is of its class in the graph, and says what it said."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import Any

import pytest
import yaml
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel
from temporalio.exceptions import ApplicationError
from temporalio.workflow import NondeterminismError

from activities.failures import translate
from agents.errors import StepFailed
from workflows.raised import rebuilt


class Row(BaseModel):
    number: int


class Coded(Exception):
    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class Named(Exception):
    def __init__(self, *, order: str) -> None:
        self.order = order

    def __str__(self) -> str:
        return f"no order {self.order!r}"


class Locked(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text, threading.Lock())

    def __str__(self) -> str:
        return str(self.args[0])


class Wordless(Exception):
    def __str__(self) -> str:
        raise AttributeError("reason")


def raised(function: Any) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- of any kind
        function()
    return caught.value


RAISED = [
    ValueError("no"),
    ValueError(),
    KeyError("order"),
    Coded(3, "gone"),
    Named(order="A-17"),
    Locked("locked"),
    raised(lambda: Row(number="many")),  # type: ignore[arg-type] -- that is the point
    raised(lambda: yaml.safe_load("a: [b")),
    raised(lambda: json.loads("{")),
    subprocess.CalledProcessError(1, ["false"]),
    raised(lambda: open("/nowhere/data.txt")),  # noqa: PTH123, SIM115
    raised(b"\xff".decode),
    OutputParserException("no JSON", llm_output="x"),
]


def back(error: BaseException) -> Exception:
    """What the workflow makes of it."""
    failure = translate(error)
    told = ApplicationError(failure.message, failure.details[0].model_dump(mode="json"), type=failure.type)
    made = rebuilt(told, "step")
    assert made is not None
    return made


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_it_says_what_it_said_and_has_its_name(error) -> None:
    made = back(error)

    assert str(made) == str(error)
    assert type(made).__name__ == type(error).__name__


@pytest.mark.parametrize("error", [each for each in RAISED if type(each).__name__ != "ValidationError"], ids=repr)
def test_a_handler_of_its_class_catches_it(error) -> None:
    assert isinstance(back(error), type(error))


def test_one_of_a_class_that_no_other_may_extend_is_caught_by_the_next_of_its_bases() -> None:
    assert isinstance(back(raised(lambda: Row(number="many"))), ValueError)  # type: ignore[arg-type]


def test_one_that_is_made_from_its_arguments_has_its_attributes() -> None:
    made = back(Coded(3, "gone"))

    assert isinstance(made, Coded)
    assert (made.code, made.text) == (3, "gone")


def test_several_at_once_are_told_as_one() -> None:
    made = back(ExceptionGroup("two", [ValueError("a"), KeyError("b")]))

    assert (type(made).__name__, str(made)) == ("ExceptionGroup", "two (2 sub-exceptions)")


def test_what_a_tool_found_of_another_workflow_is_no_error_of_this_ones_code() -> None:
    made = back(NondeterminismError("another command"))

    assert isinstance(made, StepFailed)
    assert str(made) == "NondeterminismError: another command (step step)"


def test_one_that_can_not_say_anything_is_named() -> None:
    assert str(back(Wordless())) == "Wordless without a message. Its `__str__` raises AttributeError."


def test_half_a_pair_is_written_out() -> None:
    failure = translate(ValueError("cut \ud83d"))

    assert failure.message == r"cut \ud83d"
    json.dumps(failure.details[0].model_dump()).encode()
