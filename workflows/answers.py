"""The answers to what runs ask: how they reach the update, whether they fit, and what they mean for a tool's call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from activities.wire import encode
from agents.errors import InvalidInput, OutcomeUnknown
from agents.options import tool_options
from workflows.calls import Outcome, arguments_digest, failure_of
from workflows.contracts import explain
from workflows.saga import Undoing
from workflows.schema import misfit

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from workflows.calls import Call
    from workflows.contracts import Question
    from workflows.run import Run

APPROVAL = 'true, false, or {"approve": true, "reason": "...", "similar": true, "arguments": {...}}'
OUTCOMES = ("done", "not_done", "tell_model", "fail_run")
UNKNOWN = f'{", ".join(f"{name!r}" for name in OUTCOMES)}, or {{"outcome": "done", "value": ...}}'
UNKNOWN_SCHEMA = {
    "anyOf": [
        {"enum": list(OUTCOMES)},
        {"type": "object", "required": ["outcome"], "properties": {"outcome": {"enum": list(OUTCOMES)}}},
    ]
}
EXAMPLE = '["<id>", "yes"], or {"id": "<id>", "value": "yes", "by": "anna"}'

MISSING = object()


class Given(NamedTuple):
    """An answer as it came: `by` is a name, and the groups that the client says it belongs to."""

    id: str
    value: Any
    by: list[str]


def read_answer(identifier: Any, value: Any, by: Any) -> Given:
    """The arguments of the update, or one that holds them all: forms, as that of the web UI, send one alone."""
    match identifier:
        case [str(), _, *rest] if value is MISSING and len(rest) <= 1:
            return read_answer(*identifier, *[None] * (1 - len(rest)))
        case {"id": str(), "value": _} if value is MISSING and identifier.keys() <= {"id", "value", "by"}:
            return read_answer(identifier["id"], identifier["value"], identifier.get("by"))
        case str() if value is not MISSING:
            names = [by] if isinstance(by, str) else by or []
            if isinstance(names, list) and all(isinstance(name, str) and name for name in names):
                return Given(identifier, value, names)
            raise InvalidInput(f"`by` is {by!r} where a name is expected, or a list of a name and its groups.")
        case _:
            raise InvalidInput(f"An answer needs the id of its question and a value: {EXAMPLE}.")


def refuse_unfit(run: Run, question: Question, answer: Any) -> None:
    """Raises `InvalidInput`, with the reason, for what would not settle the question."""
    if question.answer_schema is None:
        return
    if fault := misfit(answer, question.answer_schema):
        expected = {"approval": APPROVAL, "unknown_outcome": UNKNOWN}.get(question.kind)
        told = f" Expected: {expected}." if expected else ""
        raise InvalidInput(f"The answer to question {question.id!r} does not fit: {fault}.{told}")
    if question.kind == "approval" and question.tool and isinstance(answer, dict) and "arguments" in answer:
        if not answer["approve"]:
            raise InvalidInput("Arguments are changed where a call is approved, and this answer rejects it.")
        edited(run.agent.tool(question.tool), answer["arguments"])


def approved_digest(run: Run, question: Question, answer: Any) -> str | None:
    """That of the arguments which the call is carried out with; `None` where nothing was approved."""
    if question.kind != "approval" or not question.tool or not _approval(answer)[0]:
        return None
    if isinstance(answer, dict) and "arguments" in answer:
        return arguments_digest(question.tool, edited(run.agent.tool(question.tool), answer["arguments"]))
    digest: str = question.value["digest"]
    return digest


def approval_schema(tool: BaseTool) -> dict[str, Any]:
    """What an approval may be, with what the tool's arguments may be changed to."""
    schema = _arguments_schema(tool)
    definitions = schema.pop("$defs", {})
    properties = {
        "approve": {"type": "boolean"},
        "reason": {"type": ["string", "null"]},
        "similar": {"type": "boolean"},
        "arguments": schema,
    }
    whole = {"type": "object", "required": ["approve"], "additionalProperties": False, "properties": properties}
    return {"anyOf": [{"type": "boolean"}, whole], **({"$defs": definitions} if definitions else {})}


def _arguments_schema(tool: BaseTool) -> dict[str, Any]:
    schema = tool.tool_call_schema
    if isinstance(schema, dict):
        return dict(schema)
    return schema.model_json_schema() if issubclass(schema, BaseModel) else schema.schema()


def edited(tool: BaseTool, arguments: dict[str, Any]) -> dict[str, Any]:
    """A person's arguments as the tool takes them, encoded. Raises `InvalidInput` for what its schema refuses."""
    schema = tool.tool_call_schema
    if isinstance(schema, dict) or not issubclass(schema, BaseModel):
        return {name: encode(value, path=name) for name, value in arguments.items()}
    if unknown := arguments.keys() - schema.model_fields.keys():
        raise InvalidInput(f"{tool.name!r} has no argument {min(unknown)!r}. It has {', '.join(schema.model_fields)}.")
    try:
        parsed = schema.model_validate(arguments)
    except ValidationError as error:
        raise InvalidInput(f"{tool.name!r} can't be given these arguments: {explain(error)}.") from None
    return {name: encode(getattr(parsed, name), path=name) for name in schema.model_fields}


def take_answer(run: Run, call: Call, answer: Any) -> None:
    question, call.question = call.question, None
    match question.kind if question else "body":
        case "approval":
            _take_approval(run, call, answer, question.id if question else "")
        case "unknown":
            _take_outcome(run, call, *_outcome(answer))
        case "inner":
            call.inner_answers.append(encode(answer, path="answer"))
        case _:
            call.answers.append(encode(answer, path="answer"))


def _take_approval(run: Run, call: Call, answer: Any, identifier: str) -> None:
    call.approved, reason = _approval(answer)
    if not call.approved:
        decision = run.questions.decision(identifier)
        is_expired = decision is not None and decision.how == "expiry"
        call.outcome = Outcome(kind="rejected", value=encode(_rejection(call.tool, reason, is_expired=is_expired)))
    elif isinstance(answer, dict) and "arguments" in answer:
        call.edited = edited(run.agent.tool(call.tool), answer["arguments"])


def _approval(answer: Any) -> tuple[bool, str | None]:
    if isinstance(answer, dict):
        return answer["approve"], answer.get("reason")
    return answer, None


def _rejection(tool: str, reason: str | None, *, is_expired: bool) -> str:
    if is_expired:
        return f"Nobody approved this call of {tool!r} in time. It was not carried out."
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
