"""The conversation of a thread, made shorter between two turns: a summary stands for its older messages, which are kept
where no execution has to carry them. Runs in workflows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.utils import count_tokens_approximately
from langgraph.constants import END
from langgraph.graph.message import REMOVE_ALL_MESSAGES

from activities.compaction import COMPACT, CompactRequest, CompactResponse
from activities.model import tokens
from workflows.failures import LEAVING
from workflows.steps import execute_step
from workflows.turns import ArchivedPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from agents.agent import Agent
    from workflows.namespace import Place
    from workflows.run import Run

FEWEST = 2
"""Messages that are worth a summary."""

ATTEMPTS = 2
"""At a summary, while turns wait for it. After the next turn it is tried again."""

SUMMARY = "perdure-summary-"
INTRODUCTION = "Here is a summary of the conversation to date:"


async def compacted(run: Run, model: str, pages: Sequence[ArchivedPage]) -> ArchivedPage | None:
    """Makes the conversation shorter where it is over its budget, by a page more than it has. `model` writes the
    summary.
    """
    place, compaction = (run.thread, ""), run.agent.compaction
    messages = run.saver.messages(place) or []
    until = pages[-1].until if pages else None
    if compaction is None or tokens_of(messages, until) <= compaction.tokens:
        return None
    start, stop = range_of(messages, compaction.keep)
    if stop - start < FEWEST:
        return None
    newest, earlier = _newest(run), summary_id(len(pages))
    response = await _summary(run, model, messages[start:stop], earlier)
    if _newest(run) != newest:  # it was rewound meanwhile
        return None
    text, identifier = f"{INTRODUCTION}\n\n{response.summary}", summary_id(len(pages) + 1)
    summary = HumanMessage(text, id=identifier, additional_kwargs={"lc_source": "summarization"})
    shorter = [RemoveMessage(REMOVE_ALL_MESSAGES), *messages[:start], summary, *messages[stop:]]
    await _replaced(run, place, shorter)
    return ArchivedPage(
        claim=response.claim,
        messages=sum(message.id != earlier for message in messages[start:stop]),
        until=messages[-1].id,
        checkpoint=_newest(run),
    )


def _newest(run: Run) -> str:
    return max(run.saver.kept(run.thread), default="")


def summary_id(pages: int) -> str | None:
    """The id of the message that stands for so many pages."""
    return f"{SUMMARY}{pages}" if pages else None


def pages_at(pages: Sequence[ArchivedPage], checkpoint: str) -> list[ArchivedPage]:
    """Those that the conversation was without then: ids of checkpoints are in the order of time."""
    return [page for page in pages if page.checkpoint <= checkpoint]


async def _replaced(run: Run, place: Place, messages: Sequence[BaseMessage]) -> None:
    """What fails leaves nothing behind that the next turn would take up."""
    state = [*run.saver.snapshots()]
    try:
        run.saver.add_messages(place, messages)
        await run.graph.aupdate_state(run.config, None, as_node=END)
    except LEAVING:
        raise
    except BaseException:
        run.saver.rewind(state)
        raise


async def _summary(run: Run, model: str, messages: Sequence[BaseMessage], earlier: str | None) -> CompactResponse:
    (part, skip), model = run.transcript.within(messages), run.request.model or model
    request = CompactRequest(agent=run.agent.name, model=model, transcript=part, skip=skip, summary=earlier)
    options = replace(run.agent.model_step, attempts=min(ATTEMPTS, run.agent.model_step.attempts), summary=None)
    said = f"{len(messages)} messages, {model}"
    response = await execute_step(COMPACT, request, CompactResponse, options=options, summary=said)
    run.used(model_calls=1, input_tokens=response.input_tokens, output_tokens=response.output_tokens)
    return response


def tokens_of(messages: Sequence[BaseMessage], until: str | None = None) -> int:
    """As the provider counted them at the last model call, and about as many as those have that came after it.

    What was counted up to the message `until` was counted before the conversation became shorter.
    """
    counted = next((place for place, message in enumerate(messages) if until and message.id == until), -1)
    for place in range(len(messages) - 1, counted, -1):
        if used := sum(tokens(messages[place])):
            return used + count_tokens_approximately(messages[place + 1 :])
    return count_tokens_approximately(messages)


def range_of(messages: Sequence[BaseMessage], keep: int) -> tuple[int, int]:
    """Which messages a summary may stand for: all but what the system says first, the last `keep`, and the calls of
    tools whose results are among these.
    """
    said = (place for place, message in enumerate(messages) if not isinstance(message, SystemMessage))
    start = next(said, len(messages))
    calls = _calls(messages)
    stop = max(start, len(messages) - keep)
    while (earliest := min((calls.get(place, place) for place in range(stop, len(messages))), default=stop)) < stop:
        stop = earliest
    return start, max(start, stop)


def _calls(messages: Sequence[BaseMessage]) -> dict[int, int]:
    """Of each result of a tool, by its place, the place of the message that called it."""
    made: dict[str | None, int] = {}
    found: dict[int, int] = {}
    for place, message in enumerate(messages):
        if isinstance(message, AIMessage):
            made |= {call["id"]: place for call in message.tool_calls}
        elif isinstance(message, ToolMessage):
            found[place] = made.get(message.tool_call_id, place)
    return found


def refuse_uncompactable(agent: Agent, graph: Any) -> None:
    """Raises `ValueError` for a graph whose messages can't be taken out and replaced, as `add_messages` does it."""
    merge = getattr(graph.channels.get("messages"), "operator", None)
    old, new = HumanMessage("old", id="1"), HumanMessage("new", id="2")
    try:
        is_fit = merge is not None and merge([old], [RemoveMessage(REMOVE_ALL_MESSAGES), new]) == [new]
    except Exception:  # noqa: BLE001 -- an author's reducer may do anything
        is_fit = False
    if not is_fit:
        raise ValueError(
            f"Agent {agent.name!r} has a `compaction`, and its graph no `messages` with LangGraph's `add_messages` as "
            "their reducer. Leave it out; a middleware of the graph's own can make its conversations shorter."
        )
