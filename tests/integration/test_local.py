"""Local steps: the same answers, without a way over the server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from agents import Agent, StepOptions, durable
from agents.testing import ScriptedModel, call
from temporal.progress import watch_steps
from tests.integration.cases import add, agent_with, count_messages, multiply, two_calls
from tests.integration.conftest import steps
from tests.integration.test_agent_workflow import failure_of

LOCAL = StepOptions(timeout=timedelta(seconds=5), attempts=2, local=True)


def local_agent(*tools) -> Agent:
    reading = [durable(effect="read")(tool) for tool in tools]
    return Agent("worker", agent_with(*tools).build, tools=reading, tool_step=LOCAL)


async def test_local_tools_answer_as_others_do_and_are_no_activities_of_the_server(bench, cached_workflows) -> None:
    made = bench(
        local_agent(add, multiply), ScriptedModel(script=[two_calls(), AIMessage("3 and 12")]), cached=cached_workflows
    )

    result, history = await made.run("both")

    assert result["output"] == "3 and 12"
    assert result["usage"]["tool_calls"] == 2
    assert steps(history) == ["call_model", "call_model"]


async def test_a_local_tool_sees_the_conversation(bench) -> None:
    made = bench(local_agent(count_messages), ScriptedModel(script=[call("count_messages"), AIMessage("counted")]))

    result, _ = await made.run("count")

    assert result["output"] == "counted"


async def test_a_local_tool_that_keeps_failing_fails_the_run_with_its_own_error(bench) -> None:
    @tool
    def divide(a: int, b: int) -> float:
        """Divide."""
        return a / b

    error = await failure_of(bench(local_agent(divide), ScriptedModel(script=[call("divide", a=1, b=0)])), "divide")

    assert error.message.startswith("ZeroDivisionError: division by zero")


async def test_a_watcher_sees_local_steps_when_they_are_over(bench) -> None:
    made = bench(local_agent(add), ScriptedModel(script=[call("add", a=1, b=2), AIMessage("3")]))

    async with made.worker():
        handle = await made.start("add")
        followed = [step async for step in watch_steps(made.client, handle.id) if step.is_over]

    assert [(step.activity, step.state) for step in followed][1] == ("add", "completed")
    assert followed[1].summary == "a=1, b=2"


@pytest.mark.parametrize("other", [{"task_queue": "elsewhere"}, {"priority": 1}])
def test_a_local_step_goes_nowhere_else(other) -> None:
    with pytest.raises(ValueError, match="A local step runs in the worker that has the run"):
        StepOptions(local=True, **other)


def test_a_tool_that_must_not_be_repeated_is_no_local_step() -> None:
    with pytest.raises(ValueError, match="Agent 'worker', tool 'add' is 'at_most_once', and a local step runs again"):
        Agent("worker", agent_with(add).build, tools=[add], tool_step=LOCAL)
