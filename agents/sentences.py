"""The sentences of a Markdown or reStructuredText passage, with their exact offsets. Plain functions of text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FENCE = re.compile(r"\s*(```|~~~)")
ITEM = re.compile(r"\s*(?:[*+-]|\d{1,2}[.)]|#\.)\s+(?:\[[ xX]\]\s+)?")
HEADING = re.compile(r"\s*#{1,6}\s")
UNDERLINE = re.compile(r"\s*([=\-~^\"'`#*+.:_])\1{2,}\s*$")
NO_PROSE = re.compile(r"\s*(?:\||\.\. |>>>|\$ |<|:[\w-]+:|[-=+| ]{4,}$)")
INDENTED = re.compile(r"(?: {4,}|\t)")
BOUNDARY = re.compile(r"[.!?]['\"”)*_`]*\s+(?=[A-Z0-9`\"'“(\[*_:])")
ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|No|Fig|Dr|Mr|St)|^\W*\d+)\.\s+$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text` is the passage's `[start:end]`; sentences of the same `block` stand in one paragraph or list item."""

    start: int
    end: int
    text: str
    block: int

    @property
    def plain(self) -> str:
        """The sentence as a person says it: one line, links reduced to their words."""
        words = re.sub(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)", r"\1", self.text)
        words = re.sub(r"`([^`<]+?)\s*<[^>]+>`__?", r"\1", words)
        words = re.sub(r":[a-z:]+:`~?([^`<]+?)\s*(?:<[^>]+>)?`", r"`\1`", words)
        return " ".join(words.split())


def split(text: str) -> list[Sentence]:
    """Prose alone: headings, code, tables and directives are left out."""
    return [
        Sentence(start, end, text[start:end], number)
        for number, (first, last) in enumerate(_blocks(text))
        for start, end in _sentences(text, first, last)
    ]


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Paragraphs and list items, as offsets."""
    start: int | None = None
    end = 0
    for offset, line, kind in _kinds(text):
        if start is not None and kind != "prose":
            yield start, end
            start = None
        if kind in ("item", "prose"):
            start = offset + len(line) - len(line.lstrip()) if start is None else start
            end = offset + len(line.rstrip())
        if kind == "item":
            prefix = ITEM.match(line)
            start = offset + (prefix.end() if prefix else 0)
    if start is not None:
        yield start, end


def _kinds(text: str) -> Iterator[tuple[int, str, str]]:
    """Each line with its offset and what it is: "prose", "item", or "other"."""
    lines = text.splitlines(keepends=True)
    offset, before, in_fence, in_literal = 0, "other", False, False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        in_literal = in_literal and (not line.strip() or line[0] in " \t")
        kind = "other" if in_fence or in_literal else _kind(line, following, before)
        if FENCE.match(line):
            in_fence, kind = not in_fence, "other"
        # What is indented beneath a `::` or a directive of reStructuredText is a literal block.
        if line.rstrip().endswith("::") or line.startswith(".. "):
            in_literal = True
        yield offset, line, kind
        offset, before = offset + len(line), kind


def _kind(line: str, following: str, before: str) -> str:
    if not line.strip() or HEADING.match(line) or UNDERLINE.match(line) or NO_PROSE.match(line):
        return "other"
    if UNDERLINE.match(following) and not ITEM.match(line):
        return "other"
    if ITEM.match(line):
        return "item"
    return "other" if INDENTED.match(line) and before == "other" else "prose"


def _sentences(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    start = first
    for boundary in BOUNDARY.finditer(text, first, last):
        if ABBREVIATION.search(text, start, boundary.end()):
            continue
        yield start, boundary.start() + len(boundary.group().rstrip())
        start = boundary.end()
    if text[start:last].strip():
        yield start, last
