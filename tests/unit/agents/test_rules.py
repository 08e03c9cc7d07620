"""Rules of approval: what is refused when an agent is declared, and what a rule says of a call."""

from __future__ import annotations

import asyncio
import pickle
from datetime import timedelta
from typing import Any

import pytest
from langchain_core.tools import tool

from agents import Agent, Approval, ToolOptions, durable
from agents.rules import Rule

CALL = {
    "tool": "pay",
    "arguments": {"amount": 500, "price": 9.5, "note": "an order", "items": [{"sku": "A", "count": 3}], "to": None},
    "effect": "at_most_once",
    "tenant": "acme",
    "user": {"name": "anna", "roles": ["clerk"]},
    "cost": {"tokens": 1_200, "model_calls": 3},
}


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("arguments.amount >", "The rule 'arguments.amount >' is off at line 1, column 19: Syntax error"),
        ("amount > 3", "is off at column 1: no rule knows 'amount'. Known: 'arguments', 'cost', 'effect', 'tenant'"),
        ("arguments.amount > now()", "is off at column 20: no rule has the function 'now'. Known: 'bytes'"),
        ('arguments.note == "', "line 1, column 19: Syntax error: token recognition error"),
        ("", "Syntax error"),
    ],
)
@pytest.mark.parametrize(
    "declare",
    [
        Rule,
        Approval,
        lambda rule: ToolOptions(approve=rule),
        lambda rule: Agent("payer", lambda _resources: None, approve=rule),  # type: ignore[arg-type, return-value]
    ],
    ids=["rule", "approval", "tool", "agent"],
)
def test_a_bad_rule_is_refused_where_it_is_declared(declare: Any, rule: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^The rule ") as refused:
        declare(rule)

    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("rule", "asks"),
    [
        ("arguments.amount > 100", True),
        ("arguments.amount > 100.5 && arguments.price < 10", True),
        ("arguments.items.exists(item, item.count > 2)", True),
        ("arguments.items.all(item, item.count > 5)", False),
        ("has(arguments.discount) && arguments.discount > 3", False),
        ('arguments.note.contains("refund") || tool.matches("^(refund|wire)")', False),
        ('"manager" in user.roles', False),
        ('tenant in ["acme", "globex"] && effect != "read"', True),
        ("cost.tokens > 1000 || cost.model_calls > 10", True),
        ("arguments.to == null", True),
        ('size(arguments["note"]) > 20', False),
    ],
)
def test_a_rule_decides(rule: str, asks: bool) -> None:  # noqa: FBT001
    assert Rule(rule).asks(CALL) == (asks, None)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("arguments.sum > 3", "KeyError: 'sum'"),
        ("arguments.note > 3", "TypeError: No such overload"),
        ("arguments.amount / 0 > 3", "ZeroDivisionError"),
        ("arguments.amount", "it gave 500 where true or false is expected"),
        ("user.name.size() > 'x'.size() + tenant", "TypeError"),
    ],
)
def test_a_rule_that_fails_asks(rule: str, fault: str) -> None:
    asks, said = Rule(rule).asks(CALL)

    assert asks
    assert said is not None
    assert said.startswith(fault)


def test_what_no_rule_can_look_at_asks() -> None:
    assert Rule("arguments.amount > 100").asks({**CALL, "arguments": {"amount": {1, 2}}})[0]


async def test_a_rule_is_evaluated_in_any_thread_and_survives_pickling() -> None:
    rule = pickle.loads(pickle.dumps(Rule("arguments.amount > 100")))  # noqa: S301 -- our own

    assert await asyncio.to_thread(rule.asks, CALL) == (True, None)


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ({"approvers": "anna"}, "approvers is 'anna' where a list of names is expected."),
        ({"approvers": [""]}, "a list of names is expected"),
        ({"on_expiry": "ask"}, "on_expiry is 'ask' where 'approve' or 'reject' is expected."),
        ({"expires": timedelta(0)}, "is over before anybody is asked"),
        ({"approvers": ["anna"], "escalate_after": timedelta(1)}, "needs both"),
        ({"approvers": ["anna"], "escalate_to": ["boss"]}, "needs both"),
        ({"escalate_after": timedelta(1), "escalate_to": ["boss"]}, "there is nobody to escalate to"),
        (
            {
                "approvers": ["anna"],
                "escalate_after": timedelta(2),
                "escalate_to": ["boss"],
                "expires": timedelta(1),
            },
            "It expires after 1 day, 0:00:00, before it escalates",
        ),
    ],
)
def test_terms_that_contradict_each_other_are_refused(terms: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        Approval(**terms)

    assert problem in str(refused.value)


@tool
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def test_what_an_agent_says_in_general_lets_no_destructive_call_pass() -> None:
    general = Approval("arguments.amount > 100", approvers=["finance"])

    assert ToolOptions().approval(general) == general
    assert ToolOptions(effect="destructive").approval(general) == Approval("always", approvers=["finance"])
    assert ToolOptions(effect="destructive").approval("never") == Approval("always")
    assert ToolOptions(effect="destructive", approve="never").approval(general) == Approval("never")
    assert durable(approve="always")(pay).metadata["perdure"].approval("never") == Approval("always")
