"""Whose memories a run sees."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from agents import Agent
from agents.memory import MEMORIES, SHARED, scope_of

NAMES = [None, "user", "tenant", "shared", "acme"]


@pytest.mark.parametrize(
    ("memory", "tenant", "user", "scope"),
    [
        ("user", "acme", "ada", ("user", "acme", "ada")),
        ("user", None, "ada", ("user", "", "ada")),
        ("user", "acme", None, ("tenant", "acme")),
        ("user", None, None, SHARED),
        ("tenant", "acme", "ada", ("tenant", "acme")),
        ("tenant", None, "ada", SHARED),
        ("shared", "acme", "ada", SHARED),
    ],
)
def test_memories_belong_to_whom_the_agent_says(memory, tenant, user, scope) -> None:
    assert scope_of(memory, tenant, user) == scope


def test_no_scope_begins_with_another_one() -> None:
    scopes = {scope_of(*given) for given in product(MEMORIES, NAMES, NAMES)}

    assert len(scopes) == 1 + 4 + 4 * 5
    assert not any(one == other[: len(one)] for one, other in permutations(scopes, 2))


def test_another_kind_of_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="`memory` is one of user, tenant, shared, and not 'mine'"):
        Agent("a", lambda resources: resources, memory="mine")
