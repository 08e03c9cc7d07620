"""Approvals that tools and agents declare: by rule, by whom, until when, for what else, and with which arguments."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel
from temporalio.client import WorkflowHandle

from agents import Agent, Approval, Resources, StepOptions, durable
from agents.testing import ScriptedModel, call
from tests.integration.cases import agent_with
from tests.integration.conftest import Bench, steps
from tests.integration.test_agent_workflow import questions_of
from tests.integration.test_effects import Till, calls
from tests.integration.test_questions import Told, refused, until_listed
from tests.integration.test_unknown_outcomes import Listening

SOON = timedelta(seconds=1)
LATE = timedelta(days=300)


def paying(*amounts: int) -> Listening:
    """A model that pays, one amount after the other."""
    script = [call("pay", f"call-{number}", amount=amount) for number, amount in enumerate(amounts)]
    return Listening(script=[*script, AIMessage("done")], heard={})


def asking_for(till: Till, **approval: Any) -> Agent:
    return agent_with(till.pay(approve=Approval(**approval)))


async def decisions_of(handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    decisions: list[dict[str, Any]] = await handle.query("decisions")
    return decisions


async def told(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """What the model has been told by tools."""
    messages = (await handle.query("state"))["values"]["messages"]
    return [message["content"] for message in messages if message["type"] == "tool"]


# Rules


async def test_a_rule_says_which_calls_wait(bench, cached_workflows) -> None:
    till = Till()
    made = bench(asking_for(till, when="arguments.amount > 100"), paying(5, 500, 100), cached=cached_workflows)

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        before = list(till.amounts)
        await handle.execute_update("answer", args=[question["id"], True, "anna"])
        await handle.result()

    assert before == [5]
    assert till.amounts == [5, 500, 100]
    assert question["value"]["rule"] == "arguments.amount > 100"
    assert steps(await made.replayed(handle)) == ["call_model", "pay"] * 3 + ["call_model"]


@pytest.mark.parametrize(
    ("rule", "asks"),
    [
        ('tool == "pay" && effect == "at_most_once"', True),
        ("cost.model_calls > 1", False),
        ("cost.tokens >= 0 && cost.tool_calls == 0", True),
        ('user == "anna" && tenant == "acme"', True),
        ('user != "anna"', False),
        ("arguments.note.startsWith('x') || arguments.amount > 3", True),  # a fault decides nothing where the rest does
        ("arguments.note.startsWith('x')", True),
        ("arguments.amount / 0 > 1", True),
        ("arguments", True),
        ("never", False),
        ("always", True),
    ],
)
async def test_a_rule_sees_the_call_the_run_and_its_cost(bench, rule, asks) -> None:
    till = Till()
    made = bench(asking_for(till, when=rule), paying(5), cached=100)

    async with made.worker():
        handle = await made.start("go", context={"user": "anna", "tenant": "acme"})
        if asks:
            [question] = await questions_of(handle)
            assert till.amounts == []
            await handle.execute_update("answer", args=[question["id"], True])
        await handle.result()

    assert till.amounts == [5]
    await made.replayed(handle)


async def test_a_rule_that_fails_asks_and_says_so(bench) -> None:
    till = Till()
    made = bench(asking_for(till, when="arguments.sum > 3"), paying(5))

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        await handle.terminate()

    assert question["value"]["rule_failed"] == "KeyError: 'sum'"


async def test_a_rule_decides_once_for_a_call_however_often_its_node_runs(bench) -> None:
    """The cost has grown when the node runs again: what was let pass then must not wait now."""
    till = Till()

    def build(resources: Resources) -> Any:
        async def pay_twice(_state: Told) -> dict[str, Any]:
            first = await resources.tools[0].ainvoke({"amount": 1})
            second = await resources.tools[0].ainvoke({"amount": 2})
            return {"told": [first, second]}

        return StateGraph(Told).add_node("pay", pay_twice).add_edge(START, "pay")

    agent = Agent("payer", build, tools=[till.pay(approve="cost.tool_calls > 0")])
    made = bench(agent, paying())

    async with made.worker():
        handle = await made.start({"told": []})
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], True])
        result = await handle.result()

    assert question["value"]["arguments"] == {"amount": 2}
    assert result["output"] == {"told": ["paid 1", "paid 2"]}
    assert till.amounts == [1, 2]
    await made.replayed(handle)


@pytest.mark.parametrize(
    ("of_agent", "of_tool", "asks"),
    [
        ("never", {}, False),
        ("always", {}, True),
        ("always", {"approve": "never"}, False),
        ("never", {"effect": "destructive"}, True),
        ("arguments.amount > 100", {"effect": "destructive"}, True),
        ("arguments.amount > 100", {"effect": "read"}, False),
        ("arguments.amount > 1", {"effect": "read"}, True),
        ("always", {"effect": "destructive", "approve": "arguments.amount > 100"}, False),
    ],
)
async def test_the_tool_s_word_goes_before_the_agent_s(bench, of_agent, of_tool, asks) -> None:
    till = Till()

    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools)

    made = bench(Agent("till", build, tools=[till.pay(**of_tool)], approve=of_agent), paying(5), cached=100)

    async with made.worker():
        handle = await made.start("go")
        if asks:
            [question] = await questions_of(handle)
            assert till.amounts == []
            await handle.execute_update("answer", args=[question["id"], True])
        await handle.result()

    assert till.amounts == [5]


async def test_a_call_in_a_functional_task_is_approved_once(bench, cached_workflows) -> None:
    till = Till()

    def build(resources: Resources) -> Any:
        @task
        async def pay_one(amount: int) -> str:
            said: str = await resources.tools[0].ainvoke({"amount": amount})
            return said

        @entrypoint()
        async def pay_all(amounts: list[int]) -> list[str]:
            return [await pay_one(amount) for amount in amounts]

        return pay_all

    made = bench(Agent("payer", build, tools=[till.pay(approve="always")]), paying(), cached=cached_workflows)

    async with made.worker():
        handle = await made.start([1, 2])
        for _ in range(2):
            [question] = await questions_of(handle)
            await handle.execute_update("answer", args=[question["id"], True])
        result = await handle.result()

    assert result["output"] == ["paid 1", "paid 2"]
    assert till.amounts == [1, 2]
    await made.replayed(handle)


# Who


async def test_only_the_approvers_decide(bench, cached_workflows) -> None:
    till = Till()
    made = bench(asking_for(till, approvers=["anna", "finance"]), paying(5), cached=cached_workflows)

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        await until_listed(made, handle.id, query="PerdureQuestions = 'for:finance'")
        reasons = [
            await refused(handle, question["id"], {"approve": True}, *by) for by in ([], ["bob"], [["bob", "sales"]])
        ]
        await handle.execute_update("answer", args=[question["id"], True, ["carol", "finance"]])
        await handle.result()
        [decision] = await decisions_of(handle)

    assert question["deciders"] == ["anna", "finance"]
    assert "is decided by 'anna' or 'finance', and not by somebody without a name" in reasons[0]
    assert "and not by 'bob'." in reasons[1]
    assert "and not by 'bob' or 'sales'." in reasons[2]
    assert decision["by"] == ["carol", "finance"]
    assert till.amounts == [5]
    await made.replayed(handle)


# When


@pytest.mark.parametrize(("on_expiry", "paid"), [("approve", [5]), ("reject", [])])
async def test_nobody_decides_and_the_question_expires(bench, cached_workflows, on_expiry, paid) -> None:
    till = Till()
    made = bench(asking_for(till, expires=SOON, on_expiry=on_expiry), paying(5), cached=cached_workflows)

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        await handle.result()
        [decision] = await decisions_of(handle)
        heard = await told(handle)

    assert (question["on_expiry"], question["expires_at"] > question["asked_at"]) == (on_expiry, True)
    assert till.amounts == paid
    assert (decision["how"], decision["by"], decision["at"] >= question["expires_at"]) == ("expiry", [], True)
    assert heard == (["paid 5"] if paid else ["Nobody approved this call of 'pay' in time. It was not carried out."])
    await made.replayed(handle)


async def test_a_question_expires_though_no_worker_was_there(bench) -> None:
    till = Till()
    made = bench(asking_for(till, expires=SOON), paying(5))

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
    while not any(each.HasField("timer_fired_event_attributes") for each in (await handle.fetch_history()).events):
        await asyncio.sleep(0.1)
    async with made.worker():
        await handle.result()
        [decision] = await decisions_of(handle)

    assert till.amounts == []
    assert decision["question"] == question["id"]
    await made.replayed(handle)


async def test_a_decision_in_time_ends_the_timer(bench) -> None:
    till = Till()
    made = bench(asking_for(till, expires=LATE), paying(5))

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], True])
        await handle.result()

    assert till.amounts == [5]
    await made.replayed(handle)


async def test_a_question_escalates_and_others_may_decide(bench, cached_workflows) -> None:
    till = Till()
    terms = {"approvers": ["anna"], "escalate_after": SOON, "escalate_to": ["boss"], "expires": LATE}
    made = bench(asking_for(till, **terms), paying(5), cached=cached_workflows)

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        reason = await refused(handle, question["id"], {"approve": True}, "boss")
        await until_listed(made, handle.id, query="PerdureQuestions = 'for:boss'")
        [later] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], True, "boss"])
        await handle.result()

    assert "and not by 'boss'" in reason
    assert (question["deciders"], question["escalate_to"]) == (["anna"], ["boss"])
    assert (later["deciders"], later["escalates_at"]) == (["anna", "boss"], None)
    assert (later["id"], later["expires_at"]) == (question["id"], question["expires_at"])
    assert till.amounts == [5]
    await made.replayed(handle)


async def test_of_several_questions_each_keeps_its_own_time(bench) -> None:
    till = Till()

    @durable(approve=Approval(expires=2 * SOON, on_expiry="approve"))
    @tool
    def refund(amount: int) -> str:
        """Pay back."""
        till.paid.append((-amount, ""))
        return f"refunded {amount}"

    script = [calls(call("pay", "one", amount=5), call("refund", "two", amount=7)), AIMessage("done")]
    agent = agent_with(till.pay(approve=Approval(expires=SOON)), refund)
    made = bench(agent, ScriptedModel(script=script))

    async with made.worker():
        handle = await made.start("go")
        await questions_of(handle)
        await handle.result()
        decisions = await decisions_of(handle)

    assert [(each["tool"], each["how"], each["answer"]["approve"]) for each in decisions] == [
        ("pay", "expiry", False),
        ("refund", "expiry", True),
    ]
    assert till.amounts == [-7]
    await made.replayed(handle)


# Similar ones


async def test_similar_calls_are_approved_with_the_first(bench, cached_workflows) -> None:
    till = Till()
    made = bench(asking_for(till), paying(5, 6, 7), cached=cached_workflows)

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], {"approve": True, "similar": True}, "anna"])
        await handle.result()
        decisions = await decisions_of(handle)

    assert till.amounts == [5, 6, 7]
    assert [(each["how"], each["by"], each["question"]) for each in decisions] == [
        ("person", ["anna"], question["id"]),
        ("similar", ["anna"], question["id"]),
        ("similar", ["anna"], question["id"]),
    ]
    assert len({each["digest"] for each in decisions}) == 3
    await made.replayed(handle)


async def test_similar_calls_that_wait_already_are_approved_with_it_and_others_are_not(bench) -> None:
    till = Till()

    @durable(effect="destructive")
    @tool
    def remove(name: str) -> str:
        """Remove."""
        return f"removed {name}"

    wanted = [call("pay", "one", amount=1), call("pay", "two", amount=2), call("remove", "three", name="x")]
    made = bench(
        agent_with(till.pay(approve="always"), remove), ScriptedModel(script=[calls(*wanted), AIMessage("done")])
    )

    async with made.worker():
        handle = await made.start("go")
        first, second, third = await questions_of(handle)
        await handle.execute_update("answer", args=[first["id"], {"approve": True, "similar": True}, "anna"])
        reason = await refused(handle, second["id"], {"approve": False}, "bob")
        left = await questions_of(handle)
        await handle.execute_update("answer", args=[third["id"], False])
        await handle.result()

    assert [each["id"] for each in left] == [third["id"]]
    assert "was answered by 'anna'" in reason
    assert sorted(till.amounts) == [1, 2]
    await made.replayed(handle)


# Changed arguments


async def test_a_person_changes_the_arguments_and_the_model_is_told(bench, cached_workflows) -> None:
    till = Till()
    made = bench(asking_for(till, approvers=["anna"]), paying(500), cached=cached_workflows)

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        answer = {"approve": True, "arguments": {"amount": 50}}
        await handle.execute_update("answer", args=[question["id"], answer, "anna"])
        await handle.result()
        [decision] = await decisions_of(handle)

    assert till.amounts == [50]
    assert decision["answer"] == answer
    assert decision["digest"] != question["value"]["digest"]
    assert made.model.heard["go"].content == (
        'paid 50\n\nA person changed the arguments before this call was carried out, to {"amount": 50}.'
    )
    await made.replayed(handle)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"approve": True, "arguments": {"amount": "many"}}, 'arguments.amount: "many" where integer is expected'),
        ({"approve": True, "arguments": {}}, "arguments.amount: missing"),
        ({"approve": True, "arguments": {"amount": 5, "extra": 1}}, "'pay' has no argument 'extra'. It has amount."),
        ({"approve": False, "arguments": {"amount": 5}}, "changed where a call is approved, and this answer rejects"),
        ({"approve": True, "similiar": True}, "similiar: unknown"),
    ],
)
async def test_arguments_that_the_tool_does_not_take_are_refused(bench, answer, reason) -> None:
    till = Till()
    made = bench(asking_for(till), paying(500))

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        said = await refused(handle, question["id"], answer)
        await handle.terminate()

    assert reason in said
    assert till.amounts == []


class Size(BaseModel):
    width: int
    height: int = 1


async def test_arguments_of_the_tool_s_own_types_are_changed_by_plain_json(bench) -> None:
    cut: list[Any] = []

    @durable(approve="always")
    @tool
    def cut_paper(size: Size, runtime: ToolRuntime, times: int = 2) -> Command[Any]:
        """Cut paper."""
        cut.append((size, times))
        message = ToolMessage(f"cut {size.width}", tool_call_id=runtime.tool_call_id)
        return Command(update={"messages": [message]})

    script = [call("cut_paper", size={"width": 3}, times=1), AIMessage("done")]
    made = bench(agent_with(cut_paper), Listening(script=script, heard={}))

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        answer = {"approve": True, "arguments": {"size": {"width": 4, "height": 5}}}
        await handle.execute_update("answer", args=[question["id"], answer])
        await handle.result()

    assert question["answer_schema"]["anyOf"][1]["properties"]["arguments"]["required"] == ["size"]
    assert cut == [(Size(width=4, height=5), 2)]
    assert made.model.heard["go"].content.startswith("cut 4\n\nA person changed the arguments")
    await made.replayed(handle)


# The effect


async def test_no_effect_begins_before_its_approval_and_a_cancelled_run_asks_no_more(bench: Any) -> None:
    till = Till()
    made: Bench = bench(asking_for(till), paying(5))

    async with made.worker():
        handle = await made.start("go")
        await questions_of(handle)
        await handle.cancel()
        with pytest.raises(Exception, match="Workflow execution failed"):
            await handle.result()
        await until_listed(made)

    assert till.amounts == []
    assert steps(await made.replayed(handle)) == ["call_model"]


async def test_what_is_asked_of_an_unknown_outcome_names_the_arguments_that_were_used(bench) -> None:
    paid: list[int] = []

    @durable(approve="always", step=StepOptions(timeout=timedelta(milliseconds=300)))
    @tool
    async def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        await asyncio.sleep(60)
        return "paid"

    made = bench(agent_with(pay), paying(500))

    async with made.worker():
        handle = await made.start("go")
        [question] = await questions_of(handle)
        answer = {"approve": True, "arguments": {"amount": 50}}
        await handle.execute_update("answer", args=[question["id"], answer])
        while (asked := (await questions_of(handle))[0])["kind"] == "approval":
            await asyncio.sleep(0.05)
        await handle.execute_update("answer", args=[asked["id"], {"outcome": "done", "value": "paid, they say"}])
        await handle.result()
        approved, settled = await decisions_of(handle)

    assert paid == [50]
    assert asked["value"]["arguments"] == {"amount": 50}
    assert asked["value"]["digest"] == approved["digest"] != question["value"]["digest"]
    assert (settled["kind"], settled["tool"]) == ("unknown_outcome", "pay")
    await made.replayed(handle)
