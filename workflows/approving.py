"""Calls of tools that wait for a person's approval. Runs in workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.types import Interrupt

from activities.approvals import Decided
from activities.wire import decode, encode
from agents.approving import judged
from workflows.answers import APPROVAL
from workflows.calls import arguments_digest

if TYPE_CHECKING:
    from activities.wire import Types
    from agents.approval import Approval
    from workflows.calls import Ask, Call
    from workflows.run import Run


def approve_or_ask(
    run: Run, call: Call, approval: Approval, *, effect: str, shown: dict[str, Any], types: Types, node: str | None
) -> None:
    """No effect starts before this call, with these arguments, was approved, or need not be."""
    asks, remarks = judged(approval, run.facts, call.tool, effect, lambda: decode(shown, types))
    if not asks or run.questions.clears(call.tool, node, call.digest):
        call.approved = True
    else:
        call.ask("approval", encode({**question_about(call, "approval", shown, APPROVAL), **remarks}), node=node)


def decided(call: Call) -> Decided:
    """What a node that is an activity is told of a call that it has asked for."""
    return Decided(edited=call.edited, rejected=decode(call.outcome.value, {}) if call.outcome else None)


def question_about(call: Call, kind: str, shown: dict[str, Any], answers: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "tool": call.tool,
        "arguments": shown if call.edited is None else call.edited,
        "digest": call.digest if call.edited is None else arguments_digest(call.tool, call.edited),
        "key": call.key,
        "answers": answers,
    }


def interrupt_of(ask: Ask, types: Types) -> Interrupt[Any]:
    return Interrupt(decode(ask.value, types), id=ask.id, response_schema=ask.answer_schema)
