"""Models are called without LangChain's callbacks where nobody listens: the step is the same either way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, get_usage_metadata_callback
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel

from agents import Agent, Resources
from agents.testing import ScriptedModel, call
from tests.integration.cases import add


class Listener(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.heard: list[str] = []

    async def on_llm_end(self, response: Any, **_about: Any) -> None:
        self.heard.append(response.generations[0][0].text)


class City(BaseModel):
    """A city."""

    name: str


def asking(listener: Listener | None) -> Agent:
    """Calls its model with tags, metadata and options, bound and given, and with a schema for its answer."""

    def build(resources: Resources) -> Any:
        model = resources.model("first")

        async def ask(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
            mine: RunnableConfig = {"tags": ["mine", "graph"], "metadata": {"of": "mine"}}
            if listener:
                mine["callbacks"] = [listener]
            bound = model.bind_tools(resources.tools, temperature=0.5).with_config(tags=["bound"])
            messages = [*state["messages"], await bound.ainvoke(state["messages"], mine, stop=["."])]
            city = await model.with_structured_output(City).ainvoke([*messages, ("user", "Which city?")], mine)
            return {"messages": [*messages[1:], ("ai", f"{city.name} {config['metadata']['langgraph_node']}")]}

        return StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")

    return Agent("asking", build, tools=[add])


def script() -> ScriptedModel:
    return ScriptedModel(script=[AIMessage("Hello."), call("City", name="Paris")])


def requests(history: Any) -> list[dict[str, Any]]:
    """What the model was sent, but for the messages, whose ids are the run's."""
    scheduled = [event.activity_task_scheduled_event_attributes for event in history.events]
    sent = [json.loads(each.input.payloads[0].data) for each in scheduled if each.activity_id]
    return [{name: value for name, value in each.items() if name != "transcript"} for each in sent]


async def test_a_step_is_the_same_with_and_without_a_listener(bench) -> None:
    listener = Listener()
    alone, heard = bench(asking(None), script()), bench(asking(listener), script())

    (quiet, quiet_history), (told, told_history) = await alone.run("hi"), await heard.run("hi")

    assert quiet["output"] == told["output"] == "Paris ask"
    assert listener.heard[0] == "Hello."
    assert requests(quiet_history) == requests(told_history)


@pytest.mark.parametrize("listens", [False, True])
async def test_messages_without_an_id_get_one(bench, listens) -> None:
    def build(resources: Resources) -> Any:
        model = resources.model("first")

        async def ask(_state: MessagesState) -> dict[str, Any]:
            config: RunnableConfig = {"callbacks": [Listener()]} if listens else {}
            return {"messages": [("ai", str((await model.ainvoke("hi", config)).id))]}

        return StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")

    result, _ = await bench(Agent("ids", build), ScriptedModel(script=[AIMessage("Hello.")])).run("hi")

    assert result["output"].startswith("lc_run--")


async def test_usage_is_counted_by_langchains_own_callback(bench) -> None:
    def build(resources: Resources) -> Any:
        model = resources.model("first")

        async def ask(_state: MessagesState) -> dict[str, Any]:
            with get_usage_metadata_callback() as counted:
                await model.ainvoke("hi")
            return {"messages": [("ai", json.dumps([*counted.usage_metadata.values()]))]}

        return StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")

    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    answer = AIMessage("Hello.", usage_metadata=usage, response_metadata={"model_name": "first"})

    result, _ = await bench(Agent("counting", build), ScriptedModel(script=[answer], disable_streaming=True)).run("hi")

    assert json.loads(result["output"])[0]["total_tokens"] == 7
