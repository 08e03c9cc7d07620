"""The answers to what calls of tools ask: a body's own questions, approvals, and what became of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from activities.wire import encode
from agents.errors import InvalidInput, OutcomeUnknown
from agents.options import tool_options
from workflows.calls import Outcome, failure_of
from workflows.saga import Undoing

if TYPE_CHECKING:
    from workflows.calls import Ask, Call
    from workflows.run import Run

APPROVAL = 'true, false, or {"approve": true, "reason": "..."}'
OUTCOMES = ("done", "not_done", "tell_model", "fail_run")
UNKNOWN = f'{", ".join(f"{name!r}" for name in OUTCOMES)}, or {{"outcome": "done", "value": ...}}'


def refuse_malformed(question: Ask, answer: Any) -> None:
    """Raises `InvalidInput` for what would not settle the question."""
    match question.kind:
        case "body":
            return
        case "approval":
            expected, is_fit = APPROVAL, isinstance(_approval(answer)[0], bool)
        case "unknown":
            expected, is_fit = UNKNOWN, _outcome(answer)[0] in OUTCOMES
        case kind:
            assert_never(kind)
    if not is_fit:
        raise InvalidInput(f"The answer to question {question.id!r} is {answer!r} where {expected} is expected.")


def take_answer(run: Run, call: Call, answer: Any) -> None:
    question, call.question = call.question, None
    match question.kind if question else "body":
        case "approval":
            call.approved, reason = _approval(answer)
            if not call.approved:
                call.outcome = Outcome(kind="rejected", value=encode(_rejection(call.tool, reason)))
        case "unknown":
            _take_outcome(run, call, *_outcome(answer))
        case _:
            call.answers.append(encode(answer, path="answer"))


def _approval(answer: Any) -> tuple[Any, str | None]:
    if isinstance(answer, dict):
        return answer.get("approve"), answer.get("reason")
    return answer, None


def _rejection(tool: str, reason: str | None) -> str:
    because = f" The reason: {reason}" if reason else ""
    return f"A person rejected this call of {tool!r}. It was not carried out.{because}"


def _outcome(answer: Any) -> tuple[Any, Any]:
    if isinstance(answer, dict):
        return answer.get("outcome"), answer.get("value")
    return answer, None


def _take_outcome(run: Run, call: Call, outcome: str, value: Any) -> None:
    match outcome:
        case "done":
            call.outcome = Outcome(kind="given", value=encode(value, path="answer"))
            if tool_options(run.agent.tool(call.tool)).compensate:
                run.undoings[call.key] = Undoing(tool=call.tool, value=call.outcome.value)
        case "not_done":
            call.outcome = None
            run.undoings.pop(call.key, None)
        case "tell_model":
            call.outcome = Outcome(kind="told", value=encode(call.unknown))
        case _:
            call.outcome = failure_of(OutcomeUnknown(call.unknown))
