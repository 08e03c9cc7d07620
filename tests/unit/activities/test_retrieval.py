"""What becomes of the chunks that a search finds."""

import pytest
from langchain_core.documents import Document

from activities.retrieval import RetrievalResponse, WeaviateRetriever, merge, without_copies


def found(text: str, start: int, score: float, *, section: str = "Usage", document: str = "guide.md") -> Document:
    place = {"document": document, "source": document, "section": section, "start": start, "end": start + len(text)}
    return Document(id=f"id-{start}", page_content=text, metadata={**place, "score": score})


def test_chunks_that_follow_each_other_become_one_passage() -> None:
    [passage] = merge([found("Second. ", 7, 0.9), found("First. ", 0, 0.5)])

    assert passage.page_content == "First. Second. "
    assert (passage.metadata["start"], passage.metadata["end"]) == (0, 15)


def test_a_joint_passage_has_the_id_and_score_of_its_better_chunk() -> None:
    [passage] = merge([found("First. ", 0, 0.5), found("Second. ", 7, 0.9)])

    assert (passage.id, passage.metadata["score"]) == ("id-7", 0.9)


@pytest.mark.parametrize(
    "other",
    [
        found("Later. ", 8, 0.5),
        found("Second. ", 7, 0.5, section="Support"),
        found("Second. ", 7, 0.5, document="other.md"),
    ],
    ids=["a gap", "another section", "another document"],
)
def test_other_chunks_stay_apart(other: Document) -> None:
    assert len(merge([found("First. ", 0, 0.9), other])) == 2


def test_a_passage_does_not_grow_without_end() -> None:
    passages = merge([found("x" * 10, start, 0.5) for start in range(0, 60, 10)])

    assert [len(passage.page_content) for passage in passages] == [30, 30]


def test_the_best_comes_first() -> None:
    passages = merge([found("A", 0, 0.2), found("B", 10, 0.9), found("C", 20, 0.5)])

    assert [passage.page_content for passage in passages] == ["B", "C", "A"]


def test_of_copies_the_better_one_stays() -> None:
    kept = without_copies([found("Same.", 0, 0.9), found("Other.", 9, 0.8), found("Same.", 50, 0.7)])

    assert [document.id for document in kept] == ["id-0", "id-9"]


def test_a_response_crosses_as_json() -> None:
    response = RetrievalResponse(documents=[found("Text.", 0, 0.9)])

    assert RetrievalResponse.model_validate_json(response.model_dump_json()) == response


def test_a_retriever_without_a_loop_says_what_to_do() -> None:
    retriever = WeaviateRetriever.model_construct(collection="docs")

    with pytest.raises(NotImplementedError, match="'docs' is searched with `ainvoke`"):
        retriever._get_relevant_documents("timer", run_manager=None)
