"""What CPU time is charged to whom."""

import sys

import pytest

from benchmarks.profile import IDLE, LOOP, OWN, owner_of, shares


@pytest.mark.parametrize(("caller", "owner"), [("workflows.agent", OWN), ("asyncio.events", LOOP)])
def test_code_outside_the_list_is_charged_to_its_caller(caller: str, owner: str) -> None:
    seen: list[str] = []

    exec("look()", {"__name__": caller, "look": lambda: seen.append(owner_of(sys._getframe()))})  # noqa: S102 -- a caller of that name

    assert seen == [owner]


def test_what_idle_threads_did_is_shared_out() -> None:
    assert shares({OWN: 1.0, LOOP: 3.0, IDLE: 4.0}) == pytest.approx({OWN: 2.0, LOOP: 6.0})
