"""A model in a step is told of its tools what it is told in plain LangGraph, middleware's changes included."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ProviderToolSearchMiddleware, wrap_model_call
from langchain_core.messages import AIMessage
from pydantic import Field

from agents import Agent, Resources
from agents.testing import ScriptedModel
from tests.integration.cases import add, multiply


class AskedModel(ScriptedModel):
    told: list[Any] = Field(default_factory=list)

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        self.told.extend(
            tool if isinstance(tool, dict) else (tool.name, tool.description, tool.extras) for tool in tools
        )
        return super().bind_tools(tools, **options)


def agent_of(middleware: Any, model: str) -> Agent:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(model), resources.tools, middleware=[middleware])

    return Agent("worker", build, tools=[add.model_copy(update={"extras": {"cache": "yes"}}), multiply])


@pytest.mark.parametrize("model", ["openai:gpt-5", "http://127.0.0.1:1/v1#gpt-5"])
async def test_tools_that_the_provider_searches_are_deferred(bench, model) -> None:
    asked = AskedModel(script=[AIMessage("Hello.")])
    agent = agent_of(ProviderToolSearchMiddleware(searchable_tools=["multiply"]), model)

    await bench(agent, asked).run("hi")

    assert asked.told == [
        ("add", "Add two numbers.", {"cache": "yes"}),
        ("multiply", "Multiply two numbers.", {"defer_loading": True}),
        {"type": "tool_search"},
    ]


async def test_a_description_that_a_middleware_changed_reaches_the_model(bench) -> None:
    @wrap_model_call
    async def describe(request: Any, handler: Any) -> Any:
        tools = [tool.model_copy(update={"description": f"{tool.name}, quickly."}) for tool in request.tools]
        return await handler(request.override(tools=tools))

    asked = AskedModel(script=[AIMessage("Hello.")])

    await bench(agent_of(describe, "openai:gpt-5"), asked).run("hi")

    assert [description for _, description, _ in asked.told] == ["add, quickly.", "multiply, quickly."]
