"""Two sides of one transcript: what a request leaves out, the worker has."""

import json
from datetime import UTC, datetime

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from activities.transcript import ROOT, TranscriptCache, TranscriptPart, digest_of, hash_of
from activities.wire import dump_message, load_message
from workflows.transcript import CarriedTranscripts, TranscriptIndex


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
    index.answered(index.part([QUESTION]), ANSWER)

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


def test_conversations_side_by_side_are_each_taken_up_where_they_were() -> None:
    index = TranscriptIndex()
    heads = [SystemMessage(str(number), id=f"s{number}") for number in range(9)]
    for turn in range(3):
        said = [HumanMessage(f"turn {each}", id=f"h{each}") for each in range(turn + 1)]
        parts = [index.part([head, *said]) for head in heads]

        assert all(part.tail[-1] == said[-1] for part in parts)
        assert {len(part.tail) for part in parts} == ({2} if turn == 0 else {1})


async def test_the_worker_puts_together_what_the_workflow_cut() -> None:
    index, cache = TranscriptIndex(), TranscriptCache()
    part = index.part([QUESTION])
    digest, whole = await cache.open(over_the_wire(part))
    answer = load_message(dump_message(ANSWER))
    cache.keep(digest, (*whole, answer), tail=[answer])
    index.answered(part, ANSWER)

    _, messages = await cache.open(over_the_wire(index.part([QUESTION, ANSWER, RESULT])))

    assert list(messages) == [QUESTION, ANSWER, RESULT]


async def test_a_digest_does_not_depend_on_the_cut() -> None:
    cache = TranscriptCache()
    first, _ = await cache.open(TranscriptPart(tail=[QUESTION, ANSWER]))

    second, _ = await cache.open(TranscriptPart(parent=first, tail=[RESULT]))

    assert second == digest_of(ROOT, [QUESTION, ANSWER, RESULT])


@pytest.mark.parametrize(("limits", "kept"), [({"most": 2}, "bc"), ({"weight": 25_000}, "bc"), ({"weight": 1}, "c")])
async def test_a_worker_forgets_what_it_has_not_used_for_longest(limits, kept) -> None:
    cache = TranscriptCache(**limits)
    digests = {}
    for name in "abc":
        digests[name], _ = await cache.open(TranscriptPart(tail=[HumanMessage(name * 10_000)]))

    assert [name for name, digest in digests.items() if digest in cache._transcripts] == [*kept]
    assert cache._weight == 12_000 * len(kept)


def told(index: TranscriptIndex, digest: str, **limits: int) -> list:
    """What a worker puts together from the answers."""
    found: list = []
    while digest != ROOT:
        page = over_the_wire(index.page(digest, **limits))
        found, digest = [*page.tail, *found], page.parent
    return found


def test_the_workflow_finds_every_transcript_that_it_cut() -> None:
    index = TranscriptIndex()
    index.part([QUESTION, ANSWER, RESULT])

    assert told(index, digest_of(ROOT, [QUESTION, ANSWER])) == [QUESTION, ANSWER]


def test_a_long_transcript_is_told_in_pages() -> None:
    index = TranscriptIndex()
    messages = [HumanMessage("x" * size, id=str(size)) for size in (400, 10, 20, 3_000, 30)]
    index.part(messages)
    digest = digest_of(ROOT, messages)

    assert [message.id for message in index.page(digest, most=1_000).tail] == ["30"]
    assert [message.id for message in index.page(digest, most=3_300).tail] == ["10", "20", "3000", "30"]
    assert told(index, digest, most=1_000) == told(index, digest, most=1) == messages


def test_the_next_execution_knows_what_workers_know() -> None:
    rules, late = SystemMessage("Rules."), HumanMessage("More?", id="m")
    first, second = TranscriptIndex(), TranscriptIndex()
    first.answered(first.part([rules, QUESTION]), ANSWER)
    first.part([QUESTION, ANSWER, RESULT])
    state = [QUESTION, ANSWER, RESULT]
    carried = CarriedTranscripts.model_validate_json(first.carried([state]).model_dump_json())
    restored = [load_message(dump_message(message)) for message in state]

    second.restore([restored], carried)

    assert carried.others == [rules]
    assert second.part([rules, *restored, late]) == TranscriptPart(
        parent=digest_of(ROOT, [rules, QUESTION, ANSWER]), tail=[RESULT, late]
    )
    assert second.part([*restored, late]) == TranscriptPart(parent=digest_of(ROOT, state), tail=[late])
    assert told(second, digest_of(ROOT, [rules, QUESTION, ANSWER])) == [rules, QUESTION, ANSWER]


def test_a_conversation_that_is_in_no_state_is_not_carried() -> None:
    index = TranscriptIndex()
    index.part([HumanMessage(str(number)) for number in range(20)])
    index.part([QUESTION])

    carried = index.carried([[QUESTION]])

    assert (carried.others, len(carried.transcripts)) == ([], 1)


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


def test_a_part_of_a_conversation_is_found_behind_what_the_system_says() -> None:
    index, system = TranscriptIndex(), SystemMessage("Be brief.", id="s")
    index.part([system, QUESTION, ANSWER, RESULT])
    index.part([HumanMessage("Something else.", id="e")])

    part, before = index.within([QUESTION, ANSWER])

    assert (part.parent, part.tail, before) == (digest_of(ROOT, [system, QUESTION, ANSWER]), [], 1)


def test_a_part_that_no_step_was_given_travels_whole() -> None:
    index = TranscriptIndex()
    index.part([QUESTION, ANSWER])

    part, before = index.within([ANSWER, RESULT])

    assert (part.parent, part.tail, before) == (ROOT, [ANSWER, RESULT], 0)
