"""Two sides of one transcript: what a request leaves out, the worker has."""

import json
from datetime import UTC, datetime

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from activities.transcript import ROOT, TranscriptCache, TranscriptPart, digest_of, hash_of
from activities.wire import dump_message, load_message
from workflows.transcript import TranscriptIndex


def over_the_wire(part: TranscriptPart) -> TranscriptPart:
    return TranscriptPart.model_validate_json(part.model_dump_json())


QUESTION = HumanMessage("What is durable?", id="q")
ANSWER = AIMessage("What survives.", id="a", response_metadata={"model": "m"})
RESULT = ToolMessage("2", tool_call_id="c", id="t")


def test_the_first_request_carries_everything() -> None:
    part = TranscriptIndex().part([QUESTION, RESULT])

    assert (part.parent, part.tail) == (ROOT, [QUESTION, RESULT])


def test_the_next_request_carries_what_was_not_sent_or_answered() -> None:
    index = TranscriptIndex()
    _, digest = index.sent([QUESTION])
    index.answered(digest, ANSWER)

    part = index.part([QUESTION, ANSWER, RESULT])

    assert part.tail == [RESULT]
    assert part.parent == digest_of(ROOT, [QUESTION, ANSWER])


def test_a_conversation_that_was_rewritten_is_cut_at_the_first_difference() -> None:
    index = TranscriptIndex()
    index.part([QUESTION, ANSWER, RESULT])

    part = index.part([QUESTION, HumanMessage("A summary.", id="s"), RESULT])

    assert part.parent == digest_of(ROOT, [QUESTION])
    assert [message.id for message in part.tail] == ["s", "t"]


def test_a_message_that_was_edited_in_place_is_sent_again() -> None:
    index, message = TranscriptIndex(), HumanMessage("before", id="1")
    index.part([message])
    message.content = "after"

    assert index.part([message]).tail == [message]


async def test_the_worker_puts_together_what_the_workflow_cut() -> None:
    index, cache = TranscriptIndex(), TranscriptCache()
    part, sent = index.sent([QUESTION])
    digest, whole = await cache.open(over_the_wire(part))
    answer = load_message(dump_message(ANSWER))
    cache.keep(digest, (*whole, answer), tail=[answer])
    index.answered(sent, ANSWER)

    _, messages = await cache.open(over_the_wire(index.part([QUESTION, ANSWER, RESULT])))

    assert list(messages) == [QUESTION, ANSWER, RESULT]


async def test_a_digest_does_not_depend_on_the_cut() -> None:
    cache = TranscriptCache()
    first, _ = await cache.open(TranscriptPart(tail=[QUESTION, ANSWER]))

    second, _ = await cache.open(TranscriptPart(parent=first, tail=[RESULT]))

    assert second == digest_of(ROOT, [QUESTION, ANSWER, RESULT])


def test_the_workflow_finds_every_transcript_that_it_cut() -> None:
    index = TranscriptIndex()
    index.part([QUESTION, ANSWER, RESULT])

    assert index.find(digest_of(ROOT, [QUESTION, ANSWER])).messages == [QUESTION, ANSWER]


@pytest.mark.parametrize(
    "message",
    [
        AIMessage(
            [{"type": "text", "text": "hi"}, {"type": "reasoning", "summary": [], "index": 0}],
            id="1",
            additional_kwargs={"refusal": None, "parsed": {"x": (1, 2)}},
            response_metadata={"model": "m", "at": datetime(2026, 1, 2, tzinfo=UTC), "cost": 0.1},
            usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_token_details": {}},
            tool_calls=[{"name": "add", "args": {"a": 1.0, "b": None}, "id": "c", "type": "tool_call"}],
            invalid_tool_calls=[{"name": "x", "args": "{", "id": None, "error": "no", "type": "invalid_tool_call"}],
        ),
        ToolMessage("x", tool_call_id="c", status="error", artifact=object()),
        SystemMessage("rules", name="s", additional_kwargs={"a": {"b": 1}}),
    ],
    ids=lambda message: message.type,
)
def test_a_message_has_one_hash_on_both_sides_of_the_wire(message) -> None:
    """Were it not so, each model call would cost a query."""
    carried = load_message(json.loads(json.dumps(dump_message(message))))

    assert hash_of(carried) == hash_of(message)
