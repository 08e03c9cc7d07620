"""From text to chunks with exact offsets."""

from importlib.metadata import distribution
from itertools import pairwise

import pytest

from activities.chunking import LONGEST_CODE, SIZE, chunk
from activities.parsing import ParsedDocument, parse_description

MARKDOWN = """\
# The product

Intro.

## Usage

How to use it.

```python
# not a heading
run()
```

### Workers

They run.

## Support

Ask.
"""
RST = """\
=======
Product
=======

Intro.

Usage
-----

How to use it::

    # no heading

Workers
~~~~~~~

They run.

Support
-------

Ask.
"""


def markdown(text: str) -> ParsedDocument:
    return ParsedDocument("title", "markdown", text)


@pytest.mark.parametrize(
    ("document", "top"),
    [(markdown(MARKDOWN), "The product"), (ParsedDocument("title", "rst", RST), "Product")],
    ids=["markdown", "rst"],
)
def test_sections_are_the_paths_of_their_headings_without_the_document_s_own(document, top) -> None:
    sections = [piece.section.split(" › ") for piece in chunk(document)]  # noqa: RUF001  what stands between headings

    assert sections == [[top], ["Usage"], ["Usage", "Workers"], ["Support"]]


def test_a_comment_in_code_is_no_heading() -> None:
    usage = chunk(markdown(MARKDOWN))[1]

    assert "# not a heading\nrun()" in usage.text


def test_headings_lose_their_markup() -> None:
    [piece] = chunk(markdown("## **The** `client` [guide](https://x.org) ##\n\nText.\n"))

    assert piece.section == "The client guide"


def test_a_thematic_break_is_no_heading() -> None:
    pieces = chunk(markdown("Text.\n\n---\n\nMore.\n"))

    assert {piece.section for piece in pieces} == {""}


@pytest.mark.parametrize("name", ["temporalio", "structlog", "regex", "websockets", "pydantic", "rich"])
def test_each_chunk_is_the_span_that_it_says_it_is(name: str) -> None:
    document = parse_description(distribution(name))

    pieces = chunk(document)

    assert pieces
    assert all(document.text[piece.start : piece.end] == piece.text for piece in pieces)


@pytest.mark.parametrize("name", ["temporalio", "structlog", "regex", "websockets", "pydantic", "rich"])
def test_chunks_of_a_section_follow_each_other_without_a_gap(name: str) -> None:
    pieces = chunk(parse_description(distribution(name)))

    pairs = [(one, other) for one, other in pairwise(pieces) if one.section == other.section]
    assert all(one.end <= other.start for one, other in pairwise(pieces))
    assert all(one.end == other.start for one, other in pairs if other.start - one.end < 3)


def test_a_long_section_is_cut_between_its_paragraphs() -> None:
    paragraph = "word " * 100 + "\n\n"

    pieces = chunk(markdown(f"# A\n\n{paragraph * 6}"))

    assert len(pieces) == 3
    assert all(len(piece.text) <= SIZE for piece in pieces)


def test_code_is_kept_whole() -> None:
    code = "```python\n" + "run()\n\n" * 250 + "```\n"

    pieces = chunk(markdown(f"# A\n\nText.\n\n{code}\nMore.\n"))

    assert SIZE < len(code) < LONGEST_CODE
    assert any(code in piece.text for piece in pieces)


def test_a_word_without_end_is_cut_all_the_same() -> None:
    text = "x" * (3 * SIZE)

    pieces = chunk(markdown(text))

    assert "".join(piece.text for piece in pieces) == text


@pytest.mark.parametrize("text", ["", "\n", "# Only a heading\n", "---\n"])
def test_a_text_without_words_has_no_chunks(text: str) -> None:
    assert chunk(markdown(text)) == []
