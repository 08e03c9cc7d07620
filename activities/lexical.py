"""The embedder that needs no model: words and their parts, hashed (Weinberger and others 2009). Runs anywhere."""

from __future__ import annotations

import asyncio
import math
import zlib
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.relevance import words

if TYPE_CHECKING:
    from collections.abc import Sequence

DIMENSIONS = 1024
GRAMS = (3, 4, 5)
# What all parts of a word weigh together, where the word itself weighs 1.
PARTS = 0.8

Features = tuple[np.ndarray[Any, np.dtype[np.intp]], np.ndarray[Any, np.dtype[np.float32]]]


class LexicalEmbedder:
    """Knows spellings, not meanings: "timer" is near "timers", and far from "clock"."""

    id = "lexical-hash-1024-v1"
    """Names the arithmetic. A change of it, or of the words it takes, is another id."""

    lexical = True

    async def dimensions(self) -> int:
        return DIMENSIONS

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await asyncio.to_thread(lambda: [_vector(text).tolist() for text in texts])


def _vector(text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Of length one; a text without words is a fixed vector, since a null vector has no direction."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for word, count in Counter(word.lower() for word in words(text)).items():
        places, values = _features(word)
        np.add.at(vector, places, values * np.float32(1 + math.log(count)))
    length = float(np.linalg.norm(vector))
    if not length:
        vector[0] = length = 1.0
    return vector / np.float32(length)


@lru_cache(maxsize=65_536)
def _features(word: str) -> Features:
    """Where a word and its parts go, and with which sign. CRC-32: the same in each process, unlike `hash`."""
    framed = f"<{word}>"
    grams = [framed[start : start + size] for size in GRAMS for start in range(len(framed) - size + 1)]
    weights = [1.0] + [PARTS / math.sqrt(len(grams))] * len(grams)
    hashes = [zlib.crc32(feature.encode()) for feature in (f"={word}", *grams)]
    places = np.array([value % DIMENSIONS for value in hashes], dtype=np.intp)
    signs = np.array([1.0 if value >> 31 else -1.0 for value in hashes], dtype=np.float32)
    return places, signs * np.array(weights, dtype=np.float32)
