"""From a document's text to chunks: sections by their headings, then pieces of a section. Runs in activities.

Offsets are exact, `text[chunk.start:chunk.end] == chunk.text`, and the chunks of one section follow each other
without a gap, so that neighbours join by concatenation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from langchain_text_splitters import RecursiveCharacterTextSplitter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from activities.parsing import Markup, ParsedDocument

VERSION = "sections-1200-1"
"""Goes into each document's fingerprint: change it with anything here that changes a chunk."""

SIZE = 1200
# A code block is kept whole up to this size: half of one helps nobody.
LONGEST_CODE = 2400
SEPARATOR = " › "  # noqa: RUF001  a typographer's angle, not a comparison

FENCE = re.compile(r"\s*(`{3,}|~{3,})")
ATX = re.compile(r" {0,3}(#{1,6})\s+(.+?)\s*#*\s*$")
UNDERLINES: dict[Markup, re.Pattern[str]] = {
    "markdown": re.compile(r"([=-])\1{2,}\s*$"),
    "rst": re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*$"),
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """`section` is the path of its headings, joined by `SEPARATOR`."""

    section: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """`start` is where its first line begins, `end` where the text beneath it does."""

    level: int
    title: str
    start: int
    end: int


def chunk(document: ParsedDocument) -> list[Chunk]:
    text = document.text
    return [
        Chunk(section, start, end, text[start:end])
        for section, first, last in _sections(text, document.markup)
        for start, end in _pieces(text, first, last)
    ]


def _sections(text: str, markup: Markup) -> Iterator[tuple[str, int, int]]:
    headings = list(_headings(text, markup))
    ends = [heading.start for heading in headings] + [len(text)]
    yield "", 0, ends[0]
    # A heading that is alone at the top level names the document, not a part of it.
    top = min((heading.level for heading in headings), default=0)
    named = headings[:1] if [heading.level for heading in headings].count(top) == 1 else []
    path: list[Heading] = []
    for heading, end in zip(headings, ends[1:], strict=True):
        path = [*(above for above in path if above.level < heading.level), heading]
        titles = [above.title for above in path if above not in named or above is heading]
        yield SEPARATOR.join(titles), heading.end, end


def _headings(text: str, markup: Markup) -> Iterator[Heading]:
    """ATX (`## Usage`) and underlined headings; in reStructuredText a level is the order of its first use."""
    underlines: list[str] = ["=", "-"] if markup == "markdown" else []
    for start, line, following in _prose_lines(text, markup):
        if markup == "markdown" and (atx := ATX.match(line)):
            yield Heading(len(atx[1]), _plain(atx[2]), start, start + len(line))
            continue
        under = UNDERLINES[markup].match(following)
        if under and _may_be_title(line, following, markup):
            if under[1] not in underlines:
                underlines.append(under[1])
            level = underlines.index(under[1]) + 1
            end = start + len(line) + len(following)
            yield Heading(level, _plain(line), start - len(_overline(text, start, following)), end)


def _overline(text: str, start: int, underline: str) -> str:
    """The line above a title, where it is the same as the one beneath."""
    above = text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : start]
    return above if above.strip() == underline.strip() else ""


def _may_be_title(line: str, following: str, markup: Markup) -> bool:
    title = line.strip()
    if not title or not re.search(r"\w", title) or line[0] in "|>+":
        return False
    return len(following.strip()) >= len(title) if markup == "rst" else not line.startswith((" ", "- ", "* "))


def _prose_lines(text: str, markup: Markup) -> Iterator[tuple[int, str, str]]:
    """Each line outside fenced code, which Markdown alone has, with its offset and the line after it."""
    lines = text.splitlines(keepends=True)
    offset, fence = 0, ""
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        mark = FENCE.match(line) if markup == "markdown" else None
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        elif not fence:
            yield offset, line, following
        offset += len(line)


def _plain(title: str) -> str:
    """A heading without its markup."""
    title = re.sub(r"\[([^\]]*)\]\([^)]*\)|`([^`<]+) <[^>]*>`__?|<[^>]*>_*", r"\1\2", title)
    return re.sub(r"\*+|``?|:[a-z]+:(?=`)", "", title).strip()


def _pieces(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Blocks packed up to `SIZE` characters. A piece ends where the next begins."""
    first += len(text[first:last]) - len(text[first:last].lstrip())
    if not re.search(r"\w", text[first:last]):
        return
    starts: list[int] = [first]
    for start, end in _blocks(text, first, last):
        if start > starts[-1] and end - starts[-1] > SIZE:
            starts.append(start)
    yield from zip(starts, [*starts[1:], last], strict=True)


def _blocks(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Code blocks and paragraphs, those that are too long split further."""
    for start, end in _whole_blocks(text[first:last]):
        block = text[first + start : first + end]
        if len(block) <= (LONGEST_CODE if FENCE.match(block) else SIZE):
            yield first + start, first + end
            continue
        for piece in _splitter().create_documents([block]):
            begin = first + start + piece.metadata["start_index"]
            yield begin, begin + len(piece.page_content)


def _whole_blocks(text: str) -> Iterator[tuple[int, int]]:
    start, offset, fence = 0, 0, ""
    blank = False
    for line in text.splitlines(keepends=True):
        mark = FENCE.match(line)
        if not fence and offset > start and ((blank and line.strip()) or mark):
            yield start, offset
            start = offset
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        blank = not line.strip()
        offset += len(line)
    yield start, offset


def _splitter() -> RecursiveCharacterTextSplitter:
    return RecursiveCharacterTextSplitter(
        chunk_size=SIZE,
        chunk_overlap=0,
        add_start_index=True,
        separators=["\n\n", "\n", ". ", " ", ""],
    )
