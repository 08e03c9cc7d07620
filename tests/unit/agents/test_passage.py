"""Passages as text for a model, and back."""

from langchain_core.documents import Document

from agents.passage import Passage, read, render

TIMERS = Document(
    id="a3f9c2d4-0000-5000-8000-000000000000",
    page_content="A timer is durable.\n\nIt costs nothing.\n",
    metadata={"document": "temporalio 1.35.0", "section": "Usage › Timers"},  # noqa: RUF001  what stands between headings
)
PLAIN = Document(
    id="07be41aa-0000-5000-8000-000000000000", page_content="No [brackets] matter.", metadata={"document": "notes.md"}
)


def test_what_was_rendered_is_read_back() -> None:
    assert read(render([TIMERS, PLAIN])) == [
        Passage("a3f9c2", "temporalio 1.35.0", "Usage › Timers", "A timer is durable.\n\nIt costs nothing."),  # noqa: RUF001
        Passage("07be41", "notes.md", "", "No [brackets] matter."),
    ]


def test_text_without_markers_has_no_passages() -> None:
    assert read("No passage was found.") == []
