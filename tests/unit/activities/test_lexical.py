"""The embedder that needs no model."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from activities.lexical import DIMENSIONS, LexicalEmbedder

PROGRAM = """\
import asyncio, hashlib
from activities.lexical import LexicalEmbedder
[vector] = asyncio.run(LexicalEmbedder().embed(["A timer survives a restart"]))
print(hashlib.sha256(repr([round(number, 4) for number in vector]).encode()).hexdigest())
"""


async def vectors(*texts: str):
    return np.array(await LexicalEmbedder().embed(texts))


async def test_vectors_have_the_declared_dimensions_and_length_one() -> None:
    found = await vectors("A timer", "", "the of and")

    assert found.shape == (3, DIMENSIONS)
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


async def test_another_process_makes_the_same_vector() -> None:
    [vector] = await LexicalEmbedder().embed(["A timer survives a restart"])

    other = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)  # noqa: ASYNC221, S603  our own program

    ours = hashlib.sha256(repr([round(number, 4) for number in vector]).encode()).hexdigest()
    assert other.stdout.strip() == ours


async def test_this_id_stands_for_this_arithmetic() -> None:
    [vector] = await LexicalEmbedder().embed(["A timer survives a restart"])

    strongest = sorted(range(DIMENSIONS), key=lambda place: -abs(vector[place]))[:3]
    assert LexicalEmbedder.id == "lexical-hash-1024-v1"
    assert sorted(strongest) == [126, 188, 215]


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("timer", "timers", "clock"),
        ("durable workflows", "a workflow that is durable", "hybrid search"),
        ("configuration", "configure", "colour"),
    ],
)
async def test_like_spellings_are_nearer_than_others(text: str, near: str, far: str) -> None:
    question, one, other = await vectors(text, near, far)

    assert question @ one > 2 * question @ other


async def test_saying_a_word_ten_times_is_not_ten_times_as_much() -> None:
    question, once, often = await vectors("timer worker", "timer worker", "timer " * 10 + "worker")

    assert question @ often > 0.85 * (question @ once)
