"""What a model is bound to: once for requests that are alike, and never for those of another agent."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from activities.model import MOST_BINDINGS, ModelCalls, ModelRequest
from activities.transcript import TranscriptCache, TranscriptPart
from agents import Agent, Registry
from agents.testing import ScriptedModel


class Counted(ScriptedModel):
    bound: list[Any] = []  # noqa: RUF012 -- a field

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        self.bound.append([each.description for each in tools])
        return super().bind_tools(tools, **options)


def searching(description: str) -> Agent:
    @tool("search", description=description)
    def search(text: str) -> str:
        return text

    return Agent(description, lambda _resources: None, tools=[search])  # type: ignore[arg-type, return-value]


@pytest.fixture
def model() -> Counted:
    return Counted(script=[AIMessage("Found.")])


@pytest.fixture
def calls(model: Counted) -> ModelCalls:
    registry = Registry.of([searching("books"), searching("papers")])
    return ModelCalls(chat_model=lambda _name: model, registry=registry, transcripts=TranscriptCache())


def request(agent: str = "books", **options: Any) -> ModelRequest:
    return ModelRequest(agent=agent, model="fake", transcript=TranscriptPart(), tools=["search"], options=options)


def test_requests_that_are_alike_bind_the_model_once(calls, model):
    assert calls._bound(request()) is calls._bound(request())
    assert model.bound == [["books"]]


def test_another_agent_binds_its_own_tool_of_that_name(calls, model):
    calls._bound(request("books"))
    calls._bound(request("papers"))

    assert model.bound == [["books"], ["papers"]]


def test_other_options_are_another_binding(calls):
    assert calls._bound(request(temperature=0)) is not calls._bound(request(temperature=1))


def test_what_was_not_bound_for_long_is_let_go(calls, model):
    calls._bound(request())
    for number in range(MOST_BINDINGS):
        calls._bound(request(seed=number))
    calls._bound(request())

    assert len(model.bound) == MOST_BINDINGS + 2
    assert len(calls._bindings) == MOST_BINDINGS
