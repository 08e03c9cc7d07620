"""What a tool says about itself."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool

from agents import StepOptions, ToolOptions, durable, step_config
from agents.options import step_options, tool_options


@tool
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def test_a_tool_that_says_nothing_is_run_at_most_once() -> None:
    assert tool_options(pay) == ToolOptions(effect="at_most_once", when_unknown="ask_person")


def test_a_declared_tool_is_a_copy() -> None:
    tagged = pay.model_copy(update={"metadata": {"team": "shop"}})

    declared = durable(effect="idempotent", when_unknown="fail_run")(tagged)

    assert tool_options(declared) == ToolOptions(effect="idempotent", when_unknown="fail_run")
    assert tagged.metadata == {"team": "shop"}
    assert declared.metadata["team"] == "shop"
    assert declared.invoke({"amount": 5}) == "paid 5"


def test_a_function_is_no_tool_yet() -> None:
    with pytest.raises(TypeError, match="is no tool yet"):
        durable(effect="read")(len)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"effect": "once"}, "effect is 'once' where one of 'read', 'idempotent', 'at_most_once', 'destructive'"),
        ({"when_unknown": "guess"}, "when_unknown is 'guess' where one of 'tell_model', 'ask_person', 'fail_run'"),
        ({"effect": "read", "compensate": print}, "leaves nothing to reconcile or to compensate"),
        ({"step": StepOptions(local=True)}, "'at_most_once', and a local step runs again"),
    ],
)
def test_what_makes_no_sense_is_refused(options, words) -> None:
    with pytest.raises(ValueError, match=words):
        durable(**options)


def test_a_config_holds_the_options_of_a_call() -> None:
    ordinary, chosen = StepOptions(), StepOptions(attempts=1)

    assert step_options(step_config(chosen)["metadata"], ordinary) is chosen
    assert step_options({"perdure_step": "else"}, ordinary) is ordinary
    assert step_options(None, ordinary) is ordinary
