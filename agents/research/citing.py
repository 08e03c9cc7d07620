"""The node `cite`: turns the markers of an answer into numbered citations of exact spans. Pure; runs in the graph."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ToolMessage

from agents.citation import Citation
from agents.passage import MARKER, marker
from agents.relevance import coverage, terms, weights
from agents.research.state import ResearchState  # noqa: TC001  LangGraph reads the annotation
from agents.sentences import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_core.messages import BaseMessage

CITED = re.compile(rf"[ \t]*[\[【]({MARKER}(?:\s*[,;]\s*{MARKER})*)[\]】]")
# A quote grows by a neighbouring sentence when that adds this share of the statement's weight.
WORTH_ADDING = 0.15
LONGEST = 3


def cite(state: ResearchState) -> dict[str, Any]:
    """Replaces the last answer by the same one with `[1]`, `[2]`… for its markers, in the order of appearance."""
    messages = state["messages"]
    answer = messages[-1] if messages else None
    if not isinstance(answer, AIMessage) or answer.tool_calls:
        return {"citations": []}
    citing = Citing(_passages(messages))
    text = citing.rewrite(answer.text)
    if text == answer.text:
        return {"citations": []}
    return {"messages": [answer.model_copy(update={"content": text})], "citations": citing.citations}


@dataclass(slots=True)
class Citing:
    """One answer's citations while they are being made."""

    passages: Mapping[str, Sequence[Document]]
    citations: list[Citation] = field(default_factory=list)

    def rewrite(self, text: str) -> str:
        pieces: list[str] = []
        end = 0
        statement = ""
        for cited in CITED.finditer(text):
            # Markers that follow each other stand for the same statement.
            statement = _statement(text[end : cited.start()]) or statement
            pieces += [text[end : cited.start()], self._numbers(re.findall(MARKER, cited[1]), statement)]
            end = cited.end()
        return "".join([*pieces, text[end:]])

    def _numbers(self, markers: Iterable[str], statement: str) -> str:
        numbers = dict.fromkeys(
            self._number(self.passages[name], statement) for name in markers if name in self.passages
        )
        return "".join(f" [{number}]" for number in numbers)

    def _number(self, passages: Sequence[Document], statement: str) -> int:
        citation = max(
            (_citation(document, statement, len(self.citations) + 1) for document in passages),
            key=lambda citation: len(terms(citation.quote) & terms(statement)),
        )
        for known in self.citations:
            if known.model_copy(update={"marker": citation.marker}) == citation:
                return known.marker
        self.citations.append(citation)
        return citation.marker


def _passages(messages: Iterable[BaseMessage]) -> dict[str, list[Document]]:
    """All passages that searches have returned, by marker. Merged chunks make two of one marker possible."""
    found: dict[str, list[Document]] = {}
    for message in messages:
        artifact = message.artifact if isinstance(message, ToolMessage) else None
        for document in artifact if isinstance(artifact, list) else []:
            if isinstance(document, Document):
                found.setdefault(marker(document), []).append(document)
    return found


def _statement(text: str) -> str:
    """The last paragraph before a marker."""
    paragraph = text.strip().rpartition("\n\n")[2]
    return paragraph.strip(" \n.,;:")


def _citation(document: Document, statement: str, number: int) -> Citation:
    start, end = _span(document.page_content, statement)
    metadata = document.metadata
    offset = metadata.get("start")
    return Citation(
        marker=number,
        document=str(metadata.get("document", "")),
        section=str(metadata.get("section", "")),
        source=str(metadata.get("source", "")),
        quote=document.page_content[start:end],
        start=None if offset is None else offset + start,
        end=None if offset is None else offset + end,
    )


def _span(text: str, statement: str) -> tuple[int, int]:
    """The sentences of `text` that best support `statement`: the best one, and neighbours that add to it."""
    sentences = split(text)
    if not sentences:
        return len(text) - len(text.lstrip()), len(text.rstrip())
    spoken = [terms(sentence.prose) for sentence in sentences]
    weight = weights(statement, (sentence.prose for sentence in sentences))
    first = last = max(range(len(sentences)), key=lambda number: (_fit(spoken[number], weight), -number))
    while last - first + 1 < LONGEST:
        held = set().union(*spoken[first : last + 1])
        grown = {number: _gain(spoken, number, held, weight) for number in (first - 1, last + 1)}
        best = max(grown, key=lambda number: grown[number])
        if grown[best] < WORTH_ADDING:
            break
        first, last = min(first, best), max(last, best)
    return sentences[first].start, sentences[last].end


def _fit(found: set[str], weight: Mapping[str, float]) -> float:
    """Coverage, and among equals the sentence that says little else."""
    return coverage(found, weight) - 0.001 * len(found)


def _gain(spoken: Sequence[set[str]], number: int, held: set[str], weight: Mapping[str, float]) -> float:
    if not 0 <= number < len(spoken):
        return -1.0
    return coverage(held | spoken[number], weight) - coverage(held, weight)
