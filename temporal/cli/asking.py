"""What a run asks, as a person at a terminal sees it, and what the person types as the answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, assert_never, get_args

from agents.errors import InvalidInput
from temporal.cli.inbox import deciders, read_arguments, read_value, span, summary
from temporal.inbox import judged
from workflows.schema import misfit
from workflows.steps import shorten

if TYPE_CHECKING:
    from workflows.contracts import Question

Word = Literal["yes", "no", "edit", "similar"]
APPROVAL = "[y]es, [n]o, [e]dit the arguments, yes to [s]imilar ones, too: "
DECISION = "[y]es, [n]o: "
ANSWER = "Your answer: "
MOST_SCHEMA = 300


def prompt_of(question: Question) -> str:
    if question.kind == "approval":
        return APPROVAL
    return DECISION if is_decision(question) else ANSWER


def is_decision(question: Question) -> bool:
    """Whether it takes a yes or a no."""
    match question.value:
        case {"action_requests": [*_]}:
            return True
    return question.kind == "approval"


def described(question: Question, now: datetime | None = None) -> list[str]:
    """What is asked, then who decides until when, then what the answer must be."""
    return [
        f"{question.agent} asks: {summary(question)}" if question.agent else summary(question),
        *_details(question),
        *_terms(question, now or datetime.now(UTC)),
        *_form(question),
    ]


def read_word(text: str) -> tuple[Word, str]:
    """`no`, `too dear` of `n too dear`: one of the words that an approval takes, and what comes after it."""
    word, _, rest = text.strip().partition(" ")
    known: tuple[Word, ...] = get_args(Word)
    for each in known:
        if word.lower() in (each, each[0]):
            return each, rest.strip()
    raise InvalidInput("Type y, n, e or s; after n a reason, if you like.")


def judgement(question: Question, word: Word, rest: str) -> Any:
    """The answer to an approval. Raises `InvalidInput`."""
    if question.kind != "approval" and word in ("edit", "similar"):
        raise InvalidInput("Type y or n, or the whole answer as JSON.")
    match word:
        case "no":
            return judged(question, approve=False, reason=rest or None)
        case "similar":
            return judged(question, approve=True, similar=True)
        case "edit":
            return judged(question, approve=True, arguments=read_arguments(rest))
        case "yes":
            return judged(question, approve=True)
        case _:
            assert_never(word)


def value_of(question: Question, text: str) -> Any:
    """The answer to any other question. Raises `InvalidInput` where it does not fit."""
    value = read_value(text, question)
    if question.answer_schema and (fault := misfit(value, question.answer_schema)):
        raise InvalidInput(f"The answer does not fit: {fault}.")
    return value


def arguments_of(question: Question) -> str:
    """Those that the model chose, for who wants others."""
    value = question.value if isinstance(question.value, dict) else {}
    return json.dumps(value.get("arguments", {}), ensure_ascii=False)


def _details(question: Question) -> list[str]:
    """What the summary does not say."""
    match question.kind, question.value:
        case "approval", {"rule_failed": fault}:
            return [f"The rule failed: {fault}"]
        case "approval", {"rule": rule}:
            return [f"By the rule: {rule}"]
        case "interrupt", {"question": str(), **rest} if rest:
            return [shorten(json.dumps(rest, ensure_ascii=False), MOST_SCHEMA)]
    return []


def _terms(question: Question, now: datetime) -> list[str]:
    who = f"{deciders(question, now)} may decide" if question.deciders or question.kind == "approval" else ""
    expires = question.expires_at
    until = f"without an answer, in {span(expires - now)}: {question.on_expiry}" if expires else ""
    return [" · ".join(filter(None, [who, until]))] if who or until else []


def _form(question: Question) -> list[str]:
    if question.answer_schema is None or is_decision(question):
        return []
    return [f"It must fit {shorten(json.dumps(question.answer_schema, ensure_ascii=False), MOST_SCHEMA)}"]
