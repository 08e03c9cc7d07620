"""From markers to numbered citations of exact spans."""

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agents.research.citing import cite

TIMERS = Document(
    id="a3f9c2d4-0000-5000-8000-000000000000",
    page_content="Signals are sent. A timer is durable. It survives a restart of the worker.",
    metadata={"document": "temporalio 1.35.0", "source": "temporalio==1.35.0", "section": "Timers", "start": 100},
)
CLIENTS = Document(
    id="07be41aa-0000-5000-8000-000000000000",
    page_content="A client starts workflows.",
    metadata={"document": "notes.md", "section": "", "start": 0},
)


def cited(text, *searches: list[Document]) -> dict:
    results = [ToolMessage("passages", tool_call_id=f"call_{n}", artifact=found) for n, found in enumerate(searches)]
    return cite({"messages": [HumanMessage("?"), *results, AIMessage(text, id="answer")], "citations": []})


def text_of(update: dict) -> str:
    return update["messages"][0].text


def test_markers_become_numbers_in_the_order_of_appearance() -> None:
    update = cited("A client starts it. [07be41] A timer is durable. [a3f9c2]", [TIMERS, CLIENTS])

    assert text_of(update) == "A client starts it. [1] A timer is durable. [2]"
    assert [citation.document for citation in update["citations"]] == ["notes.md", "temporalio 1.35.0"]


def test_a_quote_is_the_sentence_that_supports_the_statement() -> None:
    [citation] = cited("Timers are durable. [a3f9c2]", [TIMERS])["citations"]

    assert citation.quote == "A timer is durable."
    assert (citation.section, citation.source) == ("Timers", "temporalio==1.35.0")


def test_offsets_are_those_of_the_document() -> None:
    [citation] = cited("Timers are durable. [a3f9c2]", [TIMERS])["citations"]

    assert (citation.start, citation.end) == (118, 137)
    assert TIMERS.page_content[citation.start - 100 : citation.end - 100] == citation.quote


def test_a_statement_that_takes_two_sentences_quotes_both() -> None:
    [citation] = cited("A timer is durable and survives a worker's restart. [a3f9c2]", [TIMERS])["citations"]

    assert citation.quote == "A timer is durable. It survives a restart of the worker."


def test_a_marker_that_no_search_returned_is_dropped() -> None:
    update = cited("A timer is durable. [a3f9c2] It is blue. [beef01]", [TIMERS])

    assert text_of(update) == "A timer is durable. [1] It is blue."
    assert len(update["citations"]) == 1


def test_the_same_span_keeps_its_number() -> None:
    update = cited("A timer is durable. [a3f9c2] Durable, a timer is. [a3f9c2]", [TIMERS])

    assert text_of(update) == "A timer is durable. [1] Durable, a timer is. [1]"


@pytest.mark.parametrize("markers", ["[a3f9c2] [07be41]", "[a3f9c2][07be41]", "[a3f9c2, 07be41]", "【a3f9c2; 07be41】"])
def test_a_statement_may_have_two_markers(markers: str) -> None:
    update = cited(f"A client starts a timer. {markers}", [TIMERS, CLIENTS])

    assert text_of(update) == "A client starts a timer. [1] [2]"


def test_passages_of_two_searches_are_told_apart() -> None:
    update = cited("A timer is durable. [a3f9c2] A client starts it. [07be41]", [TIMERS], [CLIENTS])

    assert [citation.document for citation in update["citations"]] == ["temporalio 1.35.0", "notes.md"]


def test_the_passage_that_supports_the_statement_wins_a_clash_of_markers() -> None:
    twin = Document(id="a3f9c2ff-0000-5000-8000-000000000000", page_content="Bees hum.", metadata={"document": "bees"})

    [citation] = cited("A timer is durable. [a3f9c2]", [twin], [TIMERS])["citations"]

    assert citation.document == "temporalio 1.35.0"


def test_a_marker_on_a_line_of_its_own_leaves_the_code_before_it_alone() -> None:
    update = cited("Like this:\n\n```python\nsleep(1)\n```\n[a3f9c2]", [TIMERS])

    assert "\n```\n [1]" in text_of(update)


def test_the_answer_keeps_its_id() -> None:
    update = cited("A timer is durable. [a3f9c2]", [TIMERS])

    assert update["messages"][0].id == "answer"


def test_an_answer_without_markers_stays_as_it_is() -> None:
    assert cited("I don't know.", [TIMERS]) == {"citations": []}


def test_a_passage_of_code_alone_is_quoted_whole() -> None:
    code = Document(
        id="beef01aa-0000-5000-8000-000000000000", page_content="```\nsleep(1)\n```\n", metadata={"start": 5}
    )

    [citation] = cited("Sleep. [beef01]", [code])["citations"]

    assert (citation.quote, citation.start, citation.end) == ("```\nsleep(1)\n```", 5, 21)
