"""Whatever an agent's code raises, wherever it does: the run ends, and says what was raised."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import before_model, wrap_model_call, wrap_tool_call
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatResult
from langchain_core.tools import tool
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph

from agents import Agent, Resources, StepOptions
from agents.testing import ScriptedModel, call
from tests.integration.test_agent_workflow import GREETING, failure_of

Fail = Callable[[], Any]

ONCE = StepOptions(attempts=1)


class Wordless(Exception):
    def __str__(self) -> str:
        raise AttributeError("reason")


def exit_process() -> None:
    raise SystemExit(3)


def leave() -> None:
    raise GeneratorExit


def recurse() -> None:
    recurse()


def say_much() -> None:
    raise ValueError("x" * 3_000_000)


def say_half_a_pair() -> None:
    raise ValueError("half a pair \ud83d")


def say_nothing() -> None:
    raise Wordless


def call_program() -> None:
    raise subprocess.CalledProcessError(7, ["git", "pull"])


SAID = {
    exit_process: "SystemExit",
    leave: "GeneratorExit",
    recurse: "RecursionError: maximum recursion depth exceeded",
    say_much: "ValueError: xxx",
    say_half_a_pair: r"ValueError: half a pair \ud83d",
    say_nothing: "__str__",
    call_program: "CalledProcessError: Command '['git', 'pull']' returned non-zero exit status 7.",
}
WHAT_IT_DID = {**SAID, exit_process: "The step tried to end the worker (SystemExit(3))", say_nothing: "Wordless"}
"""How it reads where an activity raised it."""


def of_graph(make: Callable[[Any], Any], **options: Any) -> Agent:
    return Agent("raising", make, model_step=ONCE, tool_step=ONCE, node_step=ONCE, **options)


def edge(fail: Fail) -> Agent:
    def build(_resources: Resources) -> Any:
        graph = StateGraph(MessagesState).add_node("node", lambda _state: {}).add_edge(START, "node")
        return graph.add_conditional_edges("node", lambda _state: fail(), ["node"])

    return of_graph(build)


def reducer(fail: Fail) -> Agent:
    def reduce(_left: str, right: str) -> Any:
        return fail() if right == "now" else right

    State = TypedDict("State", {"value": Annotated[str, reduce]})  # noqa: UP013 -- by name it would not be found

    def build(_resources: Resources) -> Any:
        return StateGraph(State).add_node("node", lambda _state: {"value": "now"}).add_edge(START, "node")

    return of_graph(build)


def functional_task(fail: Fail) -> Agent:
    def build(_resources: Resources) -> Any:
        @task
        async def work() -> None:
            fail()

        @entrypoint()
        async def program(_given: Any) -> Any:
            return await work()

        return program

    return of_graph(build)


def hook(fail: Fail) -> Agent:
    @before_model
    def fails(state: Any, runtime: Any) -> None:  # noqa: ARG001
        fail()

    return of_graph(lambda resources: create_agent(resources.model(), [], middleware=[fails]))


def around_a_model(fail: Fail) -> Agent:
    @wrap_model_call
    async def fails(request: Any, handler: Any) -> Any:
        await handler(request)
        fail()

    return of_graph(lambda resources: create_agent(resources.model(), [], middleware=[fails]))


def around_a_tool(fail: Fail) -> Agent:
    @wrap_tool_call
    async def fails(request: Any, handler: Any) -> Any:
        await handler(request)
        fail()

    @tool
    async def order() -> str:
        """Order."""
        return "ordered"

    return of_graph(
        lambda resources: create_agent(resources.model(), resources.tools, middleware=[fails]), tools=[order]
    )


def with_tool(order: Any) -> Agent:
    return of_graph(lambda resources: create_agent(resources.model(), resources.tools), tools=[order])


def tool_in_a_thread(fail: Fail) -> Agent:
    @tool
    def order() -> str:
        """Order."""
        return str(fail())

    return with_tool(order)


def tool_on_a_loop(fail: Fail) -> Agent:
    @tool
    async def order() -> str:
        """Order."""
        return str(fail())

    return with_tool(order)


def node_in_an_activity(fail: Fail) -> Agent:
    def build(_resources: Resources) -> Any:
        graph = StateGraph(MessagesState).add_edge(START, "node")
        return graph.add_node("node", lambda _state: fail(), metadata={"execute_in": "activity"})

    return of_graph(build)


class Failing(BaseChatModel):
    fail: Fail

    @property
    def _llm_type(self) -> str:
        return "failing"

    async def _agenerate(self, *_given: Any, **_options: Any) -> ChatResult:
        self.fail()
        raise AssertionError

    def _generate(self, *_given: Any, **_options: Any) -> ChatResult:
        raise AssertionError


def model(_fail: Fail) -> Agent:
    return of_graph(lambda resources: create_agent(resources.model(), []))


ORDERING = ScriptedModel(script=[call("order"), AIMessage("Done.")])


@pytest.mark.parametrize("fail", SAID, ids=lambda fail: fail.__name__)
@pytest.mark.parametrize(
    "place", [edge, reducer, functional_task, hook, around_a_model, around_a_tool], ids=lambda place: place.__name__
)
async def test_what_graph_code_raises_ends_the_run_and_is_told(bench, place, fail) -> None:
    error = await failure_of(bench(place(fail), ORDERING if place is around_a_tool else GREETING), {"messages": []})

    assert error.type == "GraphFailed"
    assert SAID[fail] in error.message
    assert len(error.message) <= 2_000


@pytest.mark.parametrize("fail", SAID, ids=lambda fail: fail.__name__)
@pytest.mark.parametrize(
    "place", [tool_in_a_thread, tool_on_a_loop, node_in_an_activity, model], ids=lambda place: place.__name__
)
async def test_what_a_step_raises_ends_the_run_and_is_told(bench, place, fail) -> None:
    if place is model and fail is exit_process:
        pytest.skip("LangChain asks such a model in a task, which ends the loop: see test_worker_process.py")

    error = await failure_of(bench(place(fail), Failing(fail=fail) if place is model else ORDERING), {"messages": []})

    assert error.type in ("GraphFailed", "StepFailed")
    assert WHAT_IT_DID[fail] in error.message
    assert len(error.message) <= 2_000


async def test_the_worker_goes_on_after_a_tool_that_would_end_it(bench) -> None:
    made = bench(tool_on_a_loop(exit_process), ORDERING)

    async with made.worker():
        for _ in range(2):
            handle = await made.start("order")
            with pytest.raises(Exception, match="Workflow execution failed"):
                await handle.result()
