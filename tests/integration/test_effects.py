"""What tools declare about their effects, and what follows: keys, approvals, calls that are not repeated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import RetryPolicy, interrupt
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.worker import Worker

from agents import Agent, Resources, StepOptions, durable, idempotency_key
from agents.testing import ScriptedModel, call, run_live
from temporal.settings import WorkerSettings
from tests.integration.cases import agent_with
from tests.integration.conftest import steps
from tests.integration.test_agent_workflow import failure_of, questions_of
from tests.integration.test_unknown_outcomes import Listening


def tool_node(resources: Resources) -> Any:
    """One node makes all calls of an answer, and so makes all of them again where one asks something."""

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await resources.model().bind_tools(resources.tools).ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("model", ask).add_node("tools", ToolNode(resources.tools))
    return graph.add_edge(START, "model").add_conditional_edges("model", tools_condition).add_edge("tools", "model")


def calls(*wanted: AIMessage) -> AIMessage:
    """Several calls in one answer."""
    return AIMessage("", tool_calls=[each.tool_calls[0] for each in wanted])


async def answer(handle: WorkflowHandle[Any, Any], reply: Any) -> Any:
    """Answers the only question of a run, and gives what it was."""
    [question] = await questions_of(handle)
    await handle.execute_update("answer", args=[question["id"], reply])
    return question["value"]


class Till:
    """Tools that keep what they did."""

    def __init__(self) -> None:
        self.paid: list[tuple[int, str]] = []

    def pay(self, **options: Any) -> Any:
        @durable(**options)
        @tool
        def pay(amount: int) -> str:
            """Pay."""
            self.paid.append((amount, idempotency_key()))
            return f"paid {amount}"

        return pay

    @property
    def amounts(self) -> list[int]:
        return [amount for amount, _ in self.paid]


@tool
def confirm(question: str) -> str:
    """Ask a person."""
    return f"They said {interrupt(question)}."


# Once


@pytest.mark.parametrize("options", [{}, {"effect": "destructive"}])
async def test_a_tool_that_raises_is_not_run_again(bench, options) -> None:
    started: list[str] = []

    @durable(**options)
    @tool
    def order() -> str:
        """Order."""
        started.append("order")
        raise ConnectionResetError("gone for a moment")

    made = bench(agent_with(order), ScriptedModel(script=[call("order")]))

    async with made.worker():
        handle = await made.start("order")
        if options:
            await answer(handle, {"approve": True})
        with pytest.raises(Exception, match="Workflow execution failed"):
            await handle.result()

    assert started == ["order"]
    assert steps(await made.replayed(handle)) == ["call_model", "order"]


class NotFoundError(Exception):
    """Of a name that the SDK's failure has, too, where a worker does not know a tool."""


async def test_a_tool_that_raises_an_exception_of_any_name_is_not_run_again(bench) -> None:
    started: list[str] = []

    @tool
    async def order() -> str:
        """Order."""
        started.append("order")
        raise NotFoundError("no such receipt")

    made = bench(agent_with(order), ScriptedModel(script=[call("order")]))

    async with made.worker():
        handle = await made.start("order")
        with pytest.raises(Exception, match="Workflow execution failed"):
            await handle.result()

    assert started == ["order"]
    assert steps(await made.replayed(handle)) == ["call_model", "order"]


async def test_a_finished_call_is_not_carried_out_again_because_another_asked(bench, cached_workflows) -> None:
    till = Till()
    script = [calls(call("pay", "one", amount=5), call("confirm", "two", question="Sure?")), AIMessage("done")]
    made = bench(
        Agent("till", tool_node, tools=[till.pay(), confirm]),
        Listening(script=script, heard={}),
        cached=cached_workflows,
    )

    async with made.worker():
        handle = await made.start("go")
        assert await answer(handle, "yes") == "Sure?"
        result = await handle.result()

    assert till.amounts == [5]
    assert result["output"] == "done"
    assert made.model.heard["go"].content == "They said yes."
    assert sorted(steps(await made.replayed(handle))) == ["call_model", "call_model", "confirm", "confirm", "pay"]


async def test_a_read_is_made_again_where_its_node_runs_again(bench) -> None:
    till = Till()
    script = [calls(call("pay", "one", amount=5), call("confirm", "two", question="Sure?")), AIMessage("done")]
    made = bench(Agent("till", tool_node, tools=[till.pay(effect="read"), confirm]), ScriptedModel(script=script))

    async with made.worker():
        handle = await made.start("go")
        await answer(handle, "yes")
        await handle.result()

    assert till.amounts == [5, 5]
    assert len({key for _, key in till.paid}) == 1
    await made.replayed(handle)


async def test_a_call_that_is_under_way_when_its_node_ends_is_waited_for(bench) -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    paid: list[str] = []

    @tool
    async def pay() -> str:
        """Pay slowly."""
        begun.set()
        await go.wait()
        paid.append(idempotency_key())
        return "paid"

    script = [calls(call("pay", "one"), call("confirm", "two", question="Sure?")), AIMessage("done")]
    made = bench(Agent("till", tool_node, tools=[pay, confirm]), ScriptedModel(script=script))

    async with made.worker():
        handle = await made.start("go")
        await begun.wait()
        await answer(handle, "yes")
        go.set()
        await handle.result()

    assert len(paid) == 1
    assert steps(await made.replayed(handle)).count("pay") == 1


async def test_a_failed_call_is_not_tried_again_by_a_retry_policy_of_its_node(bench) -> None:
    till, tries = Till(), []

    @tool
    def order() -> str:
        """Order."""
        tries.append("order")
        raise ValueError("out of stock")

    def build(resources: Resources) -> Any:
        pay, order = resources.tools

        async def work(_state: MessagesState) -> dict[str, Any]:
            await pay.ainvoke({"amount": 5})
            await order.ainvoke({})
            return {}

        policy = RetryPolicy(max_attempts=2, initial_interval=0.01, jitter=False, retry_on=Exception)
        return StateGraph(MessagesState).add_node("work", work, retry_policy=policy).add_edge(START, "work")

    error = await failure_of(bench(Agent("till", build, tools=[till.pay(), order]), ScriptedModel(script=[])), "go")

    assert error.message.startswith("ValueError: out of stock")
    assert till.amounts == [5]
    assert tries == ["order"]


async def test_a_node_that_runs_again_with_other_arguments_is_refused(bench) -> None:
    till = Till()
    amounts = iter(range(5, 50))

    @durable(effect="read")
    @tool
    def price() -> int:
        """What it costs, now."""
        return next(amounts)

    def build(resources: Resources) -> Any:
        price, pay = resources.tools

        async def work(_state: MessagesState) -> dict[str, Any]:
            await pay.ainvoke({"amount": await price.ainvoke({})})
            return {"messages": [("ai", interrupt("Was it right?"))]}

        return StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")

    made = bench(Agent("till", build, tools=[price, till.pay()]), ScriptedModel(script=[]))

    async with made.worker():
        handle = await made.start("go")
        await answer(handle, "yes")
        with pytest.raises(Exception, match="Workflow execution failed") as failed:
            await handle.result()

    assert failed.value.cause.type == "IdempotencyConflict"
    assert "'pay' was called with other arguments when its node ran before" in failed.value.cause.message
    assert till.amounts == [5]
    await made.replayed(handle)


async def test_a_worker_that_is_shut_down_in_the_middle_leaves_an_unknown_outcome(bench) -> None:
    begun = asyncio.Event()

    @durable(when_unknown="tell_model")
    @tool
    async def pay() -> str:
        """Pay slowly."""
        begun.set()
        await asyncio.Event().wait()
        return "never"

    script = [call("pay"), AIMessage("done")]
    made = bench(agent_with(pay), Listening(script=script, heard={}))
    made.settings = made.settings.model_copy(update={"worker": WorkerSettings(cached_workflows=0, shutdown_seconds=0)})

    async with made.worker():
        handle = await made.start("go")
        await begun.wait()
    async with made.worker():
        await handle.result()

    assert "its outcome is unknown" in made.model.heard["go"].content
    assert steps(await made.replayed(handle)) == ["call_model", "pay", "call_model"]


async def test_a_worker_that_does_not_know_the_tool_costs_no_attempt(bench) -> None:
    @activity.defn
    async def another() -> None:
        pass

    till = Till()
    made = bench(agent_with(till.pay()), ScriptedModel(script=[call("pay", amount=5), AIMessage("done")]))
    elsewhere = f"{made.settings.task_queue}-elsewhere"
    step = StepOptions(task_queue=elsewhere, attempts=8)
    made.agent = Agent("till", made.agent.build, tools=[till.pay()], tool_step=step)

    async with made.worker():
        async with Worker(made.client, task_queue=elsewhere, activities=[another]):
            handle = await made.start("go")
            while "activity_task_failed_event_attributes" not in str(await handle.fetch_history()):
                await asyncio.sleep(0.05)
        made.settings = made.settings.model_copy(update={"task_queue": elsewhere})
        async with made.worker():
            await handle.result()

    assert till.amounts == [5]
    await made.replayed(handle)


# Approvals


async def test_a_destructive_tool_waits_for_a_person(bench, cached_workflows) -> None:
    till = Till()
    script = [call("pay", amount=5), AIMessage("done")]
    made = bench(
        agent_with(till.pay(effect="destructive")), Listening(script=script, heard={}), cached=cached_workflows
    )

    async with made.worker():
        handle = await made.start("go")
        await questions_of(handle)
        before = list(till.amounts)
        question = await answer(handle, {"approve": True})
        await handle.result()

    assert before == []
    assert till.amounts == [5]
    assert question["kind"] == "approval"
    assert (question["tool"], question["arguments"]) == ("pay", {"amount": 5})
    assert question["key"] == till.paid[0][1]
    assert len(question["digest"]) == 64
    assert made.model.heard["go"].content == "paid 5"
    assert steps(await made.replayed(handle)) == ["call_model", "pay", "call_model"]


async def test_the_model_is_told_that_a_person_rejected_the_call(bench) -> None:
    till = Till()
    script = [call("pay", amount=5), AIMessage("done")]
    made = bench(agent_with(till.pay(effect="destructive")), Listening(script=script, heard={}))

    async with made.worker():
        handle = await made.start("go")
        await answer(handle, {"approve": False, "reason": "too dear"})
        await handle.result()

    assert till.amounts == []
    assert made.model.heard["go"].status == "error"
    assert made.model.heard["go"].content.endswith("It was not carried out. The reason: too dear")
    assert steps(await made.replayed(handle)) == ["call_model", "call_model"]


@pytest.mark.parametrize("reply", ["yes", 1, None, {"approved": True}, {"approve": "true"}])
async def test_an_answer_that_is_no_decision_is_refused(bench, reply) -> None:
    till = Till()
    made = bench(agent_with(till.pay(effect="destructive")), ScriptedModel(script=[call("pay", amount=5)]))

    async with made.worker():
        handle = await made.start("go")
        with pytest.raises(Exception, match="Workflow update failed") as refused:
            await answer(handle, reply)
        await handle.terminate()

    assert "Expected: true, false, or" in str(refused.value.__cause__)
    assert till.amounts == []


async def test_the_approval_of_one_call_is_not_that_of_another(bench) -> None:
    till = Till()
    script = [calls(*(call("pay", f"call-{amount}", amount=amount) for amount in (1, 2, 3))), AIMessage("done")]
    made = bench(Agent("till", tool_node, tools=[till.pay(effect="destructive")]), ScriptedModel(script=script))

    async with made.worker():
        handle = await made.start("go")
        for _ in range(3):
            [question] = await questions_of(handle)
            is_odd = question["value"]["arguments"]["amount"] % 2 == 1
            await handle.execute_update("answer", args=[question["id"], is_odd])
        await handle.result()

    assert sorted(till.amounts) == [1, 3]
    assert steps(await made.replayed(handle)).count("pay") == 2


async def test_a_node_that_calls_a_rejected_tool_itself_gets_an_error(bench) -> None:
    def build(resources: Resources) -> Any:
        async def work(_state: MessagesState) -> dict[str, Any]:
            await resources.tools[0].ainvoke({"amount": 5})
            return {}

        return StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")

    till = Till()
    made = bench(Agent("till", build, tools=[till.pay(effect="destructive")]), ScriptedModel(script=[]))

    async with made.worker():
        handle = await made.start("go")
        await answer(handle, {"approve": False})
        with pytest.raises(Exception, match="Workflow execution failed") as failed:
            await handle.result()

    assert failed.value.cause.type == "ToolFailed"
    assert till.amounts == []


# Keys


async def test_calls_have_keys_of_their_own(bench) -> None:
    till = Till()
    script = [
        calls(call("pay", "call-0", amount=5), call("pay", "call-0", amount=5)),
        call("pay", "call-0", amount=5),
        AIMessage("done"),
    ]

    await bench(Agent("till", tool_node, tools=[till.pay()]), ScriptedModel(script=script)).run("go")

    assert len({key for _, key in till.paid}) == 3


async def test_a_tool_finds_its_key_in_its_runtime_as_well(bench) -> None:
    keys: list[str] = []

    @tool
    async def pay(runtime: ToolRuntime) -> str:
        """Pay."""
        keys.extend([idempotency_key(), idempotency_key(), runtime.config["configurable"]["idempotency_key"]])
        return "paid"

    await bench(agent_with(pay), ScriptedModel(script=[call("pay"), AIMessage("done")])).run("go")

    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_a_tool_has_a_key_with_no_server() -> None:
    till = Till()
    script = [calls(call("pay", "one", amount=5), call("pay", "two", amount=5)), AIMessage("done")]

    await run_live(Agent("till", tool_node, tools=[till.pay()]), "go", model=ScriptedModel(script=script))

    assert len({key for _, key in till.paid}) == 2
