"""The state of a thread between its turns: one from which the next can go on, however the last ended.

Runs in workflows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, convert_to_messages
from langgraph.constants import END

from agents.exchange import graph_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage, ToolCall

    from workflows.namespace import Place
    from workflows.run import Run
    from workflows.turns import QueuedTurn

STOPPED = "The turn was stopped before this call came back. It may have taken effect or not."


async def settle(run: Run) -> None:
    """Keeps what has finished of the last superstep, drops the rest, and answers the tool calls that were left open:
    providers refuse a conversation in which a call has no answer.
    """
    place = _root(run)
    if not run.saver.has(place):
        return
    await run.graph.aupdate_state(run.config, None, as_node=END)
    if left := open_calls(run.saver.messages(place) or []):
        told = [ToolMessage(STOPPED, tool_call_id=call["id"], name=call["name"], status="error") for call in left]
        run.saver.add_messages(place, told)
        await run.graph.aupdate_state(run.config, None, as_node=END)


def open_calls(messages: Sequence[BaseMessage]) -> list[ToolCall]:
    """The tool calls that no message answers."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    calls = (call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls)
    return [call for call in calls if call["id"] not in answered]


def take_up(run: Run, turns: Sequence[QueuedTurn]) -> bool:
    """Puts what `turns` say before the model that is called next, if that can be done where the graph has stopped: not
    between a tool call and its answer, and not where several graphs are at work side by side.
    """
    place = run.saver.working()
    conversation = run.saver.messages(place) if place else None
    if place is None or conversation is None or open_calls(conversation):
        return False
    run.saver.add_messages(place, [message for turn in turns for message in messages_of(run, turn)])
    return True


def messages_of(run: Run, turn: QueuedTurn) -> list[BaseMessage]:
    """Their ids tell later whether a model has answered."""
    given = graph_input(run.graph, turn.input)
    messages = convert_to_messages(given["messages"])
    return [
        message.model_copy(update={"id": message.id or f"{turn.id}-{number}"})
        for number, message in enumerate(messages)
    ]


def is_message(run: Run, given: Any) -> bool:
    """Whether a turn brings messages and nothing else, so that a turn at work can take it up."""
    if "messages" not in run.graph.channels:
        return False
    given = graph_input(run.graph, given)
    if not isinstance(given, dict) or given.keys() != {"messages"}:
        return False
    try:
        return all(isinstance(message, HumanMessage) for message in convert_to_messages(given["messages"]))
    except (NotImplementedError, TypeError, ValueError):
        return False


def was_answered(run: Run, turn: QueuedTurn) -> bool:
    """Whether a model has said something since the turn's messages came into the conversation, or they have left it."""
    conversation = messages_in(run)
    own = {message.id for message in messages_of(run, turn)}
    places = [place for place, message in enumerate(conversation) if message.id in own]
    return not places or any(isinstance(message, AIMessage) for message in conversation[places[-1] :])


def messages_in(run: Run) -> Sequence[BaseMessage]:
    """The conversation, where the graph keeps one."""
    return run.saver.messages(_root(run)) or []


def _root(run: Run) -> Place:
    return run.config["configurable"]["thread_id"], ""
