"""Makes questions of what graphs and calls of tools ask, with all that a person needs. Runs in workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from temporalio import workflow

from agents.exchange import plain
from agents.options import tool_options
from workflows.answers import UNKNOWN_SCHEMA, approval_schema
from workflows.contracts import Question

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from langgraph.types import Interrupt

    from workflows.calls import Ask, Call
    from workflows.run import Run


def questions_of(run: Run, asked: Sequence[Interrupt[Any]]) -> list[Question]:
    calls = [run.calls.asking(interrupt.id) for interrupt in asked]
    nodes = {} if all(calls) else _nodes(run)
    return [
        _of_call(run, interrupt, call, call.question)
        if call and call.question
        else Question(**_basis(run, interrupt), node=nodes.get(interrupt.id), answer_schema=_schema(interrupt))
        for interrupt, call in zip(asked, calls, strict=True)
    ]


def _basis(run: Run, interrupt: Interrupt[Any]) -> dict[str, Any]:
    return {
        "id": interrupt.id,
        "value": plain(interrupt.value, "question"),
        "agent": run.agent.name,
        "asked_at": workflow.now(),
    }


def _of_call(run: Run, interrupt: Interrupt[Any], call: Call, ask: Ask) -> Question:
    basis = {**_basis(run, interrupt), "tool": call.tool, "node": ask.node}
    match ask.kind:
        case "approval":
            return Question(**basis, kind="approval", **_terms(run, call.tool))
        case "unknown":
            return Question(**basis, kind="unknown_outcome", answer_schema=UNKNOWN_SCHEMA)
        case "body" | "inner":
            return Question(**basis, answer_schema=ask.answer_schema)


def _terms(run: Run, name: str) -> dict[str, Any]:
    tool = run.agent.tool(name)
    approval = tool_options(tool).approval(run.agent.approve)
    return {
        "deciders": list(approval.approvers),
        "escalates_at": _from_now(approval.escalate_after),
        "escalate_to": list(approval.escalate_to),
        "expires_at": _from_now(approval.expires),
        "on_expiry": approval.on_expiry if approval.expires else None,
        "answer_schema": approval_schema(tool),
    }


def _from_now(time: timedelta | None) -> Any:
    return workflow.now() + time if time else None


def _nodes(run: Run) -> dict[str, str]:
    """The graph's nodes by the interrupts that came out of them; a subgraph's are its node's."""
    tasks = run.graph.get_state(run.config).tasks
    return {interrupt.id: task.name for task in tasks for interrupt in task.interrupts}


def _schema(interrupt: Interrupt[Any]) -> dict[str, Any] | None:
    """What the graph says of the answer; and of LangChain's middleware, which does not say it, what it takes."""
    if isinstance(interrupt.response_schema, dict):
        return interrupt.response_schema
    match interrupt.value:
        case {"action_requests": [*requests], "review_configs": [*configs]} if len(requests) == len(configs):
            return _of_decisions([config.get("allowed_decisions") for config in configs])
    return None


def _of_decisions(allowed: Sequence[Any]) -> dict[str, Any]:
    items = [
        {"type": "object", "required": ["type"], "properties": {"type": {"enum": kinds} if kinds else True}}
        for kinds in allowed
    ]
    decisions = {"type": "array", "minItems": len(items), "maxItems": len(items), "prefixItems": items}
    return {"type": "object", "required": ["decisions"], "properties": {"decisions": decisions}}
