"""Choosing the few sentences of some passages that answer a question best. Lexical, deterministic, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from agents.relevance import coverage, stem, terms, weights, words
from agents.sentences import Sentence, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agents.passage import Passage

AT_MOST = 4
# Below this share of the question's weight, a passage is about something else.
RELEVANT = 0.4
# A sentence that is this much worse than the best one is padding.
CLOSE_TO_BEST = 0.55
# What the passage's heading says counts for each of its sentences, but less than their own words.
HEADING = 0.45
SHORTEST, LONGEST = 4, 45


@dataclass(frozen=True, slots=True)
class Quote:
    marker: str
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    passage: Passage
    rank: int
    sentence: Sentence
    terms: frozenset[str]
    score: float


def quotes(question: str, passages: Sequence[Passage]) -> list[Quote]:
    """The best sentences, those that follow each other in one paragraph joined; the best passage first."""
    candidates = sorted(_candidates(question, passages), key=lambda candidate: -candidate.score)
    chosen = _choose(candidates)
    order = {candidate.rank: -number for number, candidate in enumerate(reversed(chosen))}
    chosen.sort(key=lambda candidate: (order[candidate.rank], candidate.sentence.start))
    return [
        Quote(group[0].passage.marker, " ".join(candidate.sentence.plain for candidate in group))
        for _, members in groupby(chosen, key=lambda candidate: (candidate.rank, candidate.sentence.block))
        for group in [list(members)]
    ]


def unmentioned(question: str, passages: Iterable[Passage]) -> list[str]:
    """The question's words that no passage has."""
    spoken = {term for passage in passages for term in terms(f"{passage.document} {passage.section} {passage.text}")}
    return list(dict.fromkeys(word for word in words(question) if stem(word) not in spoken))


def _candidates(question: str, passages: Sequence[Passage]) -> Iterable[Candidate]:
    weight = weights(question, (passage.text for passage in passages))
    for rank, passage in enumerate(passages):
        heading = terms(f"{passage.document} {passage.section}")
        for sentence in split(passage.text):
            found = terms(sentence.text)
            score = _score(sentence, found, heading, weight)
            if score > 0 and coverage(found | heading, weight) >= RELEVANT:
                yield Candidate(passage, rank, sentence, frozenset(found), score / (1 + 0.05 * rank))


def _score(sentence: Sentence, found: set[str], heading: set[str], weight: Mapping[str, float]) -> float:
    own = coverage(found, weight)
    said = len(sentence.plain.split())
    if not SHORTEST <= said or not own:
        return 0.0
    length = min(1.0, LONGEST / said)
    first = 1.1 if sentence.start == 0 else 1.0
    return (own + HEADING * coverage(heading - found, weight)) * length * first


def _choose(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Greedy: the best first, then whatever is close to it and says something else."""
    chosen: list[Candidate] = []
    for candidate in candidates:
        if len(chosen) == AT_MOST or candidate.score < CLOSE_TO_BEST * candidates[0].score:
            break
        if not any(_alike(candidate.terms, other.terms) for other in chosen):
            chosen.append(candidate)
    return chosen


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) > 0.7 * min(len(one), len(other))
