"""A tool's body finds, in an activity, what plain LangGraph gives it. Fails when LangGraph moves its private keys."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

import pytest
from langchain.tools import ToolRuntime
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.config import get_config, get_store, get_stream_writer
from langgraph.prebuilt import InjectedStore
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import interrupt
from temporalio.testing import ActivityEnvironment

from activities.bodies import Bodies
from activities.tool import MovedMessages, RuntimeData, ToolCalls, ToolRequest, ToolResponse
from activities.transcript import TranscriptCache, TranscriptPart
from activities.wire import encode
from agents import Agent, Registry


@dataclass
class Money:
    amount: int


async def run(
    body: BaseTool, arguments: dict[str, Any] | None = None, *, store: BaseStore | None = None, **request: Any
) -> ToolResponse:
    agent = Agent("shop", lambda _resources: None, tools=[body], types=[Money])  # type: ignore[arg-type, return-value]
    bodies = Bodies()
    calls = ToolCalls(
        registry=Registry.of([agent]),
        transcripts=TranscriptCache(),
        bodies=bodies,
        store_of=lambda _agent, _scope: store,
    )
    [activity] = calls.activities()
    sent = ToolRequest(agent="shop", tool=body.name, arguments=encode(arguments or {}), **request)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, start_to_close_timeout=timedelta(seconds=60))
    async with bodies.open():
        return await environment.run(activity, ToolRequest.model_validate_json(sent.model_dump_json()))


async def test_a_synchronous_body_runs_in_a_thread_of_its_own() -> None:
    @tool
    def where() -> str:
        """Say."""
        return threading.current_thread().name

    response = await run(where)

    assert response.value != threading.current_thread().name


async def test_a_tool_finds_the_store_in_each_of_langgraphs_ways() -> None:
    @tool
    def keep(store: Annotated[BaseStore, InjectedStore()], runtime: ToolRuntime) -> Any:
        """Keep."""
        runtime.store.put(("n",), "k", {"v": 1})
        return [get_store().get(("n",), "k").value, store.get(("n",), "k").value]

    response = await run(keep, stores=["store"], runtime={"runtime": RuntimeData(state=None)}, store=InMemoryStore())

    assert response.value == [{"v": 1}, {"v": 1}]


async def test_an_asynchronous_body_and_a_subclass_run() -> None:
    class Doubling(BaseTool):
        name: str = "double"
        description: str = "Double."

        def _run(self, number: int) -> int:
            raise NotImplementedError

        async def _arun(self, number: int) -> int:
            return 2 * number

    assert (await run(Doubling(), {"number": 4})).value == 8


async def test_typed_arguments_and_results_keep_their_types() -> None:
    @tool
    def spend(money: Any) -> Any:
        """Spend."""
        return Money(money.amount - 1)

    response = await run(spend, {"money": Money(3)})

    assert response.value == encode(Money(2))


async def test_the_runtime_has_state_context_and_the_conversation() -> None:
    @tool
    def look(runtime: ToolRuntime) -> list[Any]:
        """Look."""
        state = runtime.state
        return [state["count"], state["messages"][0].text, runtime.context, runtime.tool_call_id]

    response = await run(
        look,
        call_id="call-1",
        runtime={"runtime": RuntimeData(state={"count": 1, "messages": None}, context={"user": "u"})},
        messages=[
            MovedMessages(path=["runtime", "messages"], transcript=TranscriptPart(tail=[HumanMessage("hi", id="1")]))
        ],
    )

    assert response.value == [1, "hi", {"user": "u"}, "call-1"]


async def test_the_config_is_found_by_annotation_and_by_asking() -> None:
    @tool
    def look(config: RunnableConfig) -> list[Any]:
        """Look."""
        return [config["configurable"]["user"], get_config()["metadata"]["langgraph_node"]]

    response = await run(look, configurable={"user": "u"}, metadata={"langgraph_node": "tools"})

    assert response.value == ["u", "tools"]


async def test_what_the_body_writes_to_the_stream_comes_back() -> None:
    @tool
    def announce() -> str:
        """Announce."""
        get_stream_writer()({"step": 1})
        get_stream_writer()("two")
        return "done"

    assert (await run(announce)).written == [{"step": 1}, "two"]


async def test_a_question_comes_back_instead_of_a_value() -> None:
    @tool
    def ask() -> str:
        """Ask."""
        return f"{interrupt('first?')} and {interrupt('second?')}"

    asked = [await run(ask, answers=answers) for answers in ([], ["one"], ["one", "two"])]

    assert [(response.kind, response.value) for response in asked] == [
        ("interrupt", "first?"),
        ("interrupt", "second?"),
        ("value", "one and two"),
    ]


async def test_a_tool_exception_comes_back_as_its_text() -> None:
    @tool
    def refuse() -> str:
        """Refuse."""
        raise ToolException("not today")

    response = await run(refuse)

    assert (response.kind, response.value) == ("error", "not today")


async def test_any_other_exception_fails_the_activity() -> None:
    @tool
    def fail() -> str:
        """Fail."""
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        await run(fail)
