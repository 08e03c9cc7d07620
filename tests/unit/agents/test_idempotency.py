"""The key of a tool call where there is no run."""

from __future__ import annotations

import re

import pytest
from langchain_core.tools import tool

from agents import idempotency_key
from agents.idempotency import hashed


@tool
def keys() -> list[str]:
    """Give its key, twice."""
    return [idempotency_key(), idempotency_key()]


def test_a_call_has_one_key_and_another_call_another() -> None:
    first, second = keys.invoke({}), keys.invoke({})

    assert first[0] == first[1]
    assert second[0] == second[1]
    assert first != second


def test_there_is_no_key_outside_a_tool() -> None:
    with pytest.raises(LookupError, match="Call it in the tool's body"):
        idempotency_key()


def test_a_key_is_short_plain_text() -> None:
    assert re.fullmatch("[a-z2-7]{52}", hashed("run", "place", 0, "tool"))
    assert hashed("a", "bc") != hashed("ab", "c")
