"""`perdure inbox`, `answer`, `approve` and `reject`: what waits for people, and their words."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.errors import InvalidInput
from temporal.cli.errors import say
from temporal.client import open_agents
from temporal.inbox import answer_question, find_question, judged, list_waiting
from workflows.schema import misfit
from workflows.steps import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from temporal.inbox import Waiting
    from temporal.settings import Settings
    from workflows.contracts import Question

SHORT_ID = 8
"""Characters of a question's id that a list shows: enough to name it by."""


async def show_inbox(settings: Settings, *, decider: str | None, as_json: bool) -> None:
    waiting = await list_waiting(await open_agents(settings), decider=decider)
    if as_json:
        print(json.dumps([each.model_dump(mode="json") for each in waiting], indent=2))  # noqa: T201 -- what was asked for
        return
    console = Console(highlight=False)
    if not waiting:
        console.print(f"Nothing waits for {decider or 'anybody'}.", markup=False)
        return
    console.print(_table(waiting, datetime.now(UTC)))
    say("Answer: perdure approve RUN [QUESTION], perdure reject RUN [QUESTION], perdure answer RUN [QUESTION] VALUE")


async def give_answer(settings: Settings, run_id: str, words: Sequence[str], by: Sequence[str]) -> None:
    """`words` are the question's id, where one is named, and the answer."""
    named, text = (words[0], words[1]) if len(words) > 1 else (None, words[0])
    run = await (await open_agents(settings)).find(run_id)
    question = await find_question(run, named)
    await answer_question(run, question, read_value(text, question), by=by or [getpass.getuser()])
    say(f"Answered: {summary(question)}")


async def judge(
    settings: Settings,
    run_id: str,
    named: str | None,
    *,
    approve: bool,
    reason: str | None,
    by: Sequence[str],
    **more: Any,
) -> None:
    run = await (await open_agents(settings)).find(run_id)
    question = await find_question(run, named)
    value = judged(question, approve=approve, reason=reason, **more)
    await answer_question(run, question, value, by=by or [getpass.getuser()])
    changed = ", with your arguments in place of these" if more.get("arguments") else ""
    say(f"{'Approved' if approve else 'Rejected'}{changed}: {summary(question)}")


def read_value(text: str, question: Question) -> Any:
    """JSON, or else a text; a text, too, where the question takes one and not what the JSON says."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    schema = question.answer_schema
    return text if schema and misfit(value, schema) and not misfit(text, schema) else value


def read_arguments(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        read = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"The arguments are no JSON: {error}.") from None
    if not isinstance(read, dict):
        raise InvalidInput(f'The arguments are {text} where an object is expected: {{"amount": 5}}.')
    return read


def summary(question: Question) -> str:
    """What is asked, in one line."""
    match question.kind, question.value:
        case "approval", {"tool": tool, "arguments": arguments}:
            return f"{tool}({_listed(arguments)})"
        case "unknown_outcome", {"tool": tool, "arguments": arguments}:
            return f"What became of {tool}({_listed(arguments)})?"
        case _, {"action_requests": [*requests]}:
            return ", ".join(f"{each.get('name')}({_listed(each.get('args') or {})})" for each in requests)
        case _, {"question": str(text)}:
            return text
        case _, str(text):
            return text
        case _, value:
            return json.dumps(value, ensure_ascii=False)


def _listed(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())


def _table(waiting: Sequence[Waiting], now: datetime) -> Table:
    table = Table("Run", "Agent", "Question", "Id", "Age", "Decides", "Expires", box=None, pad_edge=False)
    for each in waiting:
        table.add_row(*map(Text, _row(each, now)))
    return table


def _row(waiting: Waiting, now: datetime) -> list[str]:
    question = waiting.question
    if question is None:
        return [
            waiting.run,
            "",
            "no worker answers for this run",
            " ".join(each[:SHORT_ID] for each in waiting.ids),
            *[""] * 3,
        ]
    return [
        waiting.run,
        question.agent,
        shorten(summary(question)),
        question.id[:SHORT_ID],
        span(now - question.asked_at),
        deciders(question, now),
        f"in {span(question.expires_at - now)}: {question.on_expiry}" if question.expires_at else "",
    ]


def deciders(question: Question, now: datetime) -> str:
    told = ", ".join(question.deciders) or "anybody"
    if question.escalates_at:
        told += f"; in {span(question.escalates_at - now)} {', '.join(question.escalate_to)}, too"
    return told


def span(time: timedelta) -> str:
    """In its largest unit: 40 s, 5 min, 3 h, 12 d."""
    seconds = max(0, round(time.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} s"
