"""Choosing the few sentences of some passages that answer a question best. Lexical, deterministic, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from agents.relevance import coverage, stem, terms, weights, words
from agents.sentences import Sentence, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from agents.passage import Passage

AT_MOST = 4
# A passage that has fewer of the question's terms, or less of their weight, is about something else.
TERMS, WEIGHT = 2, 0.35
# A sentence that is this much worse than the best one is padding.
CLOSE_TO_BEST = 0.6
# What the passage's heading says counts for each of its sentences, but less than their own words.
HEADING = 0.6
# A section that is about nothing but what was asked: "Timers", to "How do I set a timer?"
FOCUSED = 1.3
# What a sentence like "For example:" is worth without its example.
INTRODUCTION = 0.5
SHORTEST, LONGEST = 4, 45
# "temporal" is what "temporalio" is about.
PREFIX = 5


@dataclass(frozen=True, slots=True)
class Quote:
    """Sentences that follow each other, and the `code` that the last of them introduces, which is mostly ""."""

    marker: str
    text: str
    code: str


@dataclass(frozen=True, slots=True)
class Candidate:
    passage: Passage
    rank: int
    sentence: Sentence
    terms: frozenset[str]
    score: float


def quotes(question: str, passages: Sequence[Passage]) -> list[Quote]:
    """The best sentences, those of one paragraph joined; the best passage first."""
    candidates = sorted(_candidates(question, passages), key=lambda candidate: -candidate.score)
    chosen = _choose(candidates)
    best = {candidate.rank: -place for place, candidate in enumerate(reversed(chosen))}
    chosen.sort(key=lambda candidate: (best[candidate.rank], candidate.sentence.start))
    return [
        _quote(list(members))
        for _, members in groupby(chosen, key=lambda candidate: (candidate.rank, candidate.sentence.block))
    ]


def unmentioned(question: str, passages: Iterable[Passage]) -> list[str]:
    """The question's words that no passage has."""
    spoken = {term for passage in passages for term in terms(f"{passage.document} {passage.section} {passage.text}")}
    missing = [word for word in words(question) if not _within(spoken, {stem(word)})]
    return list(dict.fromkeys(missing))


def _candidates(question: str, passages: Sequence[Passage]) -> Iterator[Candidate]:
    weight = weights(question, (passage.text for passage in passages))
    asked = set(weight)
    for rank, passage in enumerate(passages):
        heading = _within(terms(f"{passage.document} {passage.section}"), asked)
        focus = FOCUSED if _is_focused(passage.section, asked) else 1.0
        for sentence in split(passage.text):
            found = frozenset(terms(sentence.prose))
            said = found & asked
            about = said | heading
            if len(about) < min(TERMS, len(asked)) or coverage(about, weight) < WEIGHT:
                continue
            score = focus * _score(sentence, said, heading, weight) / (1 + 0.05 * rank)
            if score:
                yield Candidate(passage, rank, sentence, found, score)


def _score(
    sentence: Sentence,
    said: AbstractSet[str],
    heading: AbstractSet[str],
    weight: Mapping[str, float],
) -> float:
    length = len(sentence.plain.split())
    if length < SHORTEST or not said:
        return 0.0
    share = coverage(said, weight) + HEADING * coverage(heading - said, weight)
    if sentence.prose.endswith(":") and not sentence.code:
        share *= INTRODUCTION
    return share * min(1.0, LONGEST / length) * (1.1 if sentence.start == 0 else 1.0)


def _is_focused(section: str, asked: AbstractSet[str]) -> bool:
    title = terms(section.rpartition("›")[2])  # noqa: RUF001  what stands between headings
    return bool(title) and asked >= title


def _choose(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Greedy: the best first, then whatever is close to it and says something else."""
    chosen: list[Candidate] = []
    for candidate in candidates:
        if len(chosen) == AT_MOST or candidate.score < CLOSE_TO_BEST * candidates[0].score:
            break
        if not any(_alike(candidate.terms, other.terms) for other in chosen):
            chosen.append(candidate)
    return chosen


def _quote(group: Sequence[Candidate]) -> Quote:
    text = " ".join(candidate.sentence.plain for candidate in group)
    return Quote(group[0].passage.marker, text, group[-1].sentence.code)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) > 0.7 * min(len(one), len(other))


def _within(spoken: AbstractSet[str], asked: AbstractSet[str]) -> set[str]:
    """The asked terms that are spoken, be it as the beginning of a longer word."""
    return {
        term
        for term in asked
        if term in spoken or (len(term) >= PREFIX and any(word.startswith(term) for word in spoken))
    }
