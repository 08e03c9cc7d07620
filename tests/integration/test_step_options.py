"""The options of a step, declared on the agent, on the tool or at the call."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph
from temporalio import activity
from temporalio.client import WorkflowHistory

from activities.retrieval import RetrievalRequest, RetrievalResponse
from agents import Agent, Resources, StepOptions, durable, step_config
from agents.testing import ScriptedModel, call, run_live
from temporal.replay import scheduled as requests
from tests.integration.cases import add, agent_with
from tests.integration.conftest import steps

CHOSEN = StepOptions(timeout=timedelta(seconds=44), heartbeat=timedelta(seconds=7), attempts=4, priority=2)
OF_CALL = StepOptions(timeout=timedelta(seconds=11), heartbeat=timedelta(seconds=3), attempts=2, summary="one call")


@activity.defn
async def retrieve(_request: RetrievalRequest) -> RetrievalResponse:
    return RetrievalResponse(documents=[])


def scheduling(history: WorkflowHistory, name: str) -> Any:
    [event] = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == name
    ]
    return event


def scheduled(history: WorkflowHistory, name: str) -> StepOptions:
    """The options with which the only activity `name` was scheduled, but for queue and summary."""
    event = scheduling(history, name)
    return StepOptions(
        timeout=event.start_to_close_timeout.ToTimedelta(),
        heartbeat=event.heartbeat_timeout.ToTimedelta(),
        attempts=event.retry_policy.maximum_attempts,
        priority=event.priority.priority_key or None,
    )


def summaries(history: WorkflowHistory) -> list[str]:
    texts = [event.user_metadata.summary.data.decode() for event in history.events]
    return [text for text in texts if text]


async def test_a_tool_has_options_of_its_own(bench) -> None:
    tools = [durable(effect="read", step=CHOSEN)(add)]
    made = bench(agent_with(*tools), ScriptedModel(script=[call("add", a=1, b=2), AIMessage("3")]))

    _, history = await made.run("go")

    assert scheduled(history, "add") == CHOSEN


async def test_an_agent_has_options_for_each_kind_of_its_steps(bench) -> None:
    def build(resources: Resources) -> Any:
        async def work(_state: MessagesState) -> dict[str, Any]:
            await resources.tools[0].ainvoke({"a": 1, "b": 2})
            await resources.retriever("docs").ainvoke("words")
            return {"messages": [await resources.model().ainvoke("Hello?")]}

        return StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")

    queue = f"elsewhere-{uuid.uuid4().hex[:8]}"
    models, tools = replace(CHOSEN, timeout=timedelta(seconds=41)), replace(CHOSEN, timeout=timedelta(seconds=42))
    retrievals = replace(CHOSEN, timeout=timedelta(seconds=43), task_queue=queue, summary="in the documents")
    agent = Agent(
        "working",
        build,
        tools=[durable(effect="read")(add)],
        model_step=models,
        tool_step=tools,
        retrieval_step=retrievals,
    )
    made = bench(agent, ScriptedModel(script=[AIMessage("Hello.")]), activities=[retrieve])
    elsewhere = replace(made, settings=made.settings.model_copy(update={"task_queue": queue}))

    async with made.worker(), elsewhere.worker():
        handle = await made.start("go")
        await handle.result()
    history = await made.replayed(handle)

    assert steps(history) == ["add", "retrieve", "call_model"]
    assert scheduled(history, "call_model") == models
    assert scheduled(history, "add") == tools
    assert scheduled(history, "retrieve").timeout == retrievals.timeout
    assert scheduling(history, "retrieve").task_queue.name == queue
    assert '"in the documents"' in summaries(history)


async def test_a_tool_that_must_not_be_repeated_has_one_attempt_whatever_its_options_say(bench) -> None:
    tools = [durable(step=CHOSEN)(add)]
    made = bench(agent_with(*tools), ScriptedModel(script=[call("add", a=1, b=2), AIMessage("3")]))

    _, history = await made.run("go")

    assert scheduled(history, "add").attempts == 1


@pytest.mark.parametrize("how", ["at the call", "with a config"])
async def test_a_call_of_a_model_a_tool_or_a_retriever_has_options_of_its_own(bench, how) -> None:
    def build(resources: Resources) -> Any:
        of_call = step_config(OF_CALL)
        steps = resources.model(), resources.tools[0], resources.retriever("docs")
        model, tool, retriever = steps if how == "at the call" else [step.with_config(of_call) for step in steps]
        config = of_call if how == "at the call" else None

        async def work(_state: MessagesState) -> dict[str, Any]:
            answer = await model.ainvoke("Hello?", config)
            await tool.ainvoke({"a": 1, "b": 2}, config)
            await retriever.ainvoke("words", config)
            return {"messages": [answer]}

        return StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")

    agent = Agent("calling", build, tools=[durable(effect="read", step=CHOSEN)(add)])
    model = ScriptedModel(script=[AIMessage("Hello.")])
    made = bench(agent, model, activities=[retrieve])

    result, history = await made.run("go")

    plain = await run_live(agent, "go", model=model)
    assert result["output"] == plain["messages"][-1].text
    assert steps(history) == ["call_model", "add", "retrieve"]
    assert summaries(history) == ['"one call"'] * 3
    for name in steps(history):
        found = scheduled(history, name)
        assert (found.timeout, found.heartbeat, found.attempts) == (OF_CALL.timeout, OF_CALL.heartbeat, 2)


@pytest.mark.parametrize("how", ["streamed", "bound and streamed", "in events", "called and heard"])
async def test_a_model_that_is_streamed_or_heard_has_options_of_its_own(bench, how) -> None:
    def build(resources: Resources) -> Any:
        model = resources.model().with_config({**step_config(OF_CALL), "tags": ["quick"]})

        async def work(_state: MessagesState) -> dict[str, Any]:
            match how:
                case "streamed":
                    heard = [piece.text async for piece in model.astream("Hello?")]
                case "bound and streamed":
                    heard = [piece.text async for piece in model.bind(stop=["x"]).astream("Hello?")]
                case "in events":
                    events = RunnableLambda(model.ainvoke).astream_events("Hello?", version="v2")
                    told = [event["data"] async for event in events if event["event"] == "on_chat_model_stream"]
                    heard = [data["chunk"].text for data in told]
                case _:
                    heard = [(await model.ainvoke("Hello?", {"callbacks": [UsageMetadataCallbackHandler()]})).text]
            return {"messages": [("ai", " ".join(heard))]}

        return StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")

    made = bench(Agent("streaming", build), ScriptedModel(script=[AIMessage("Hello you.")]))

    result, history = await made.run("go")

    [(_, [request])] = requests(history)
    assert (result["output"], summaries(history)) == ("Hello you.", ['"one call"'])
    assert scheduled(history, "call_model").timeout == OF_CALL.timeout
    assert "quick" in json.loads(request)["tags"]


async def test_the_model_of_an_agent_takes_options_with_its_tools(bench) -> None:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools).with_config(step_config(OF_CALL))

    made = bench(Agent("worker", build, tools=[add]), ScriptedModel(script=[AIMessage("Hello.")]))

    _, history = await made.run("go")

    assert scheduled(history, "call_model").timeout == OF_CALL.timeout


async def test_a_call_that_must_not_be_repeated_is_no_local_step_whatever_is_asked(bench) -> None:
    def build(resources: Resources) -> Any:
        graph = create_agent(resources.model(), resources.tools)
        return graph.with_config(step_config(StepOptions(timeout=timedelta(seconds=9), local=True)))

    made = bench(Agent("worker", build, tools=[add]), ScriptedModel(script=[call("add", a=1, b=2), AIMessage("3")]))

    _, history = await made.run("go")

    assert steps(history) == ["add"]
    assert scheduled(history, "add").attempts == 1
