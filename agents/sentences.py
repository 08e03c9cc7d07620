"""The sentences of a Markdown or reStructuredText passage, with their exact offsets. Plain functions of text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FENCE = re.compile(r"\s*(```|~~~)")
ITEM = re.compile(r"\s*(?:[*+-]|\d{1,2}[.)]|#\.)\s+(?:\[[ xX]\]\s+)?")
HEADING = re.compile(r"\s*#{1,6}\s")
UNDERLINE = re.compile(r"\s*([=\-~^\"'`#*+.:_])\1{2,}\s*$")
NO_PROSE = re.compile(r"\s*(?:\||\.\. |>>>|\$ |<|:[\w-]+:|[-=+| ]{4,}$)")
INDENTED = re.compile(r"(?: {4,}|\t)")
# Lines of code that a quote may bring along.
LONGEST_CODE = 14
BOUNDARY = re.compile(r"[.!?]['\"”)*_`]*\s+(?=[A-Z0-9`\"'“(\[*_:])")
ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|No|Fig|Dr|Mr|St)|^\W*\d+)\.\s+$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """`[start:end]` of the passage, `prose` and the `code` it introduces, which is mostly "".

    Sentences of the same `block` stand in one paragraph or list item.
    """

    start: int
    end: int
    prose: str
    code: str
    block: int

    @property
    def plain(self) -> str:
        """The prose as a person says it: one line, links reduced to their words."""
        words = re.sub(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)", r"\1", self.prose)
        words = re.sub(r"`([^`<]+?)\s*(?:<[^>]+>)?`__?(?!\w)", r"\1", words)
        words = re.sub(r":[a-z:]+:`~?([^`<]+?)\s*(?:<[^>]+>)?`", r"`\1`", words)
        return " ".join(words.split())


@dataclass(frozen=True, slots=True)
class Block:
    kind: str
    start: int
    end: int


def split(text: str) -> list[Sentence]:
    """Prose alone: headings, tables and directives are left out, and code but for what a sentence introduces."""
    blocks = list(_blocks(text))
    return [
        _sentence(text, number, start, end, blocks[number : number + 2])
        for number, block in enumerate(blocks)
        if block.kind == "prose"
        for start, end in _sentences(text, block.start, block.end)
    ]


def _sentence(text: str, number: int, start: int, end: int, blocks: Sequence[Block]) -> Sentence:
    """With the code that follows when it ends in a colon, as in "Install it with:"."""
    code = blocks[1] if len(blocks) > 1 and blocks[1].kind == "code" else None
    introduces = end == blocks[0].end and text[end - 1] == ":"
    if code and introduces and text.count("\n", code.start, code.end) < LONGEST_CODE:
        return Sentence(start, code.end, text[start:end], text[code.start : code.end], number)
    return Sentence(start, end, text[start:end], "", number)


def _blocks(text: str) -> Iterator[Block]:
    """Paragraphs, list items and pieces of code."""
    block: Block | None = None
    for offset, line, kind in _kinds(text):
        end = offset + len(line.rstrip())
        if block and (kind == block.kind or (kind == "blank" and block.kind == "code")):
            block = replace(block, end=max(block.end, end) if line.strip() else block.end)
            continue
        if block:
            yield block
        block = _begun(offset, line, kind)
    if block:
        yield block


def _begun(offset: int, line: str, kind: str) -> Block | None:
    """The block that a line begins; code keeps its indentation."""
    end = offset + len(line.rstrip())
    if kind == "item":
        prefix = ITEM.match(line)
        return Block("prose", offset + (prefix.end() if prefix else 0), end)
    if kind == "prose":
        return Block("prose", offset + len(line) - len(line.lstrip()), end)
    return Block("code", offset, end) if kind == "code" else None


def _kinds(text: str) -> Iterator[tuple[int, str, str]]:
    """Each line with its offset and what it is: "prose", "item", "code", "blank" or "other"."""
    lines = text.splitlines(keepends=True)
    offset, before, in_fence, in_literal = 0, "blank", False, False
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        in_literal = in_literal and (not line.strip() or line[0] in " \t")
        kind = "code" if in_fence or (in_literal and line.strip()) else _kind(line, following, before)
        if FENCE.match(line):
            in_fence, kind = not in_fence, "code"
        # What is indented beneath a `::` or a directive of reStructuredText is a literal block.
        if line.rstrip().endswith("::") or line.startswith(".. "):
            in_literal = True
        yield offset, line, kind
        offset, before = offset + len(line), kind


def _kind(line: str, following: str, before: str) -> str:
    if not line.strip():
        return "blank"
    if HEADING.match(line) or UNDERLINE.match(line) or NO_PROSE.match(line):
        return "other"
    if UNDERLINE.match(following) and not ITEM.match(line):
        return "other"
    if ITEM.match(line):
        return "item"
    indented = INDENTED.match(line) and before in ("blank", "code")
    return "code" if indented else "prose"


def _sentences(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    start = first
    for boundary in BOUNDARY.finditer(text, first, last):
        if ABBREVIATION.search(text, start, boundary.end()):
            continue
        yield start, boundary.start() + len(boundary.group().rstrip())
        start = boundary.end()
    if text[start:last].strip():
        yield start, last
