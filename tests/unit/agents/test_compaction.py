"""How a compaction is declared."""

from __future__ import annotations

import pytest

from agents import Compaction
from agents.compaction import PLACE, PROMPT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tokens": 0}, "`tokens` is 0"),
        ({"keep": 0}, "`keep` is 0"),
        ({"prompt": "Summarise it."}, "put {messages} into it"),
    ],
)
def test_what_makes_no_sense_is_refused(options, words) -> None:
    with pytest.raises(ValueError, match=words):
        Compaction(**options)


def test_the_prompt_says_where_the_conversation_is() -> None:
    assert PROMPT.count(PLACE) == 1
    assert Compaction(prompt=PROMPT).prompt == PROMPT
