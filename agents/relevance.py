"""How well a text answers a question, by the words they share. Lexical: knows no meanings. Pure functions."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*|\d+")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Function words, and the words that questions are made of.
STOPWORDS = frozenset(
    """
    a about above after all also am an and any are as at be because been before being below between both but by can
    could did do does doing done down each either else for from further get gets give go good had has have having he
    her here hers him his how however i if in into is it its itself just kind let like made make makes making many may
    me mean means might mine more most much must my need needs no nor not of off on once one only or other our ours
    out over own please same say says set shall she should show so some such tell than that the their theirs them then
    there these they thing things this those through to too under until up us use used uses using very want wants was
    way we were what when where whether which while who whom whose why will with without work works would yes yet you
    your yours explain describe example s t re ve ll d don
    """.split()  # noqa: SIM905  forty quoted lines would say no more
)


def words(text: str) -> list[str]:
    """The words of a text that carry meaning, in order, as they are written."""
    return [word for word in WORD.findall(text) if word.lower() not in STOPWORDS]


def terms(text: str) -> set[str]:
    """The stems of `words`, and of the parts of those written in camel case."""
    return {stem(part) for word in words(text) for part in (word, *CAMEL.split(word))}


def stem(word: str) -> str:
    """Brings "retries", "retry" and "retrying" together. Crude on purpose: both sides go through it."""
    word = word.lower()
    if word.endswith("ies") and len(word) > 4:  # noqa: PLR2004  "dies" is no plural of "dy"
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:  # noqa: PLR2004
        word = word[:-1]
    for suffix in ("ing", "ed"):
        root = word.removesuffix(suffix)
        if root != word and len(root) > 2 and re.search("[aeiouy]", root):  # noqa: PLR2004  "red", "thing"
            word = root[:-1] if root[-1] == root[-2] and root[-1] not in "lsz" else root
            break
    return word.removesuffix("e") if len(word) > 3 else word  # noqa: PLR2004


def weights(question: str, texts: Iterable[str]) -> dict[str, float]:
    """The inverse document frequency, among `texts`, of each term of the question (Spärck Jones 1972)."""
    spoken = [terms(text) for text in texts]
    frequency = Counter(term for text in spoken for term in text)
    return {term: math.log(1 + (len(spoken) + 1) / (frequency[term] + 1)) for term in sorted(terms(question))}


def coverage(found: AbstractSet[str], weight: Mapping[str, float]) -> float:
    """The share of the question's weight that the `found` terms carry, 0 to 1."""
    whole = sum(weight.values())
    return sum(value for term, value in weight.items() if term in found) / whole if whole else 0.0
