"""A query that a worker has lost is asked again."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.queries import PATIENCE, ask
from agents.errors import ServiceUnavailable


class Handle:
    """A workflow that answers once its `failures` are over."""

    id = "orders-1"

    def __init__(self, *failures: RPCStatusCode) -> None:
        self.failures = [*failures]
        self.asked: list[Any] = []

    async def query(self, name: str, *, args: Any, **_options: Any) -> str:
        self.asked.append((name, *args))
        if self.failures:
            raise RPCError("Timeout expired", self.failures.pop(0), b"")
        return "an answer"


async def test_a_query_that_is_lost_is_asked_again() -> None:
    handle: Any = Handle(RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED)

    answer = await ask(handle, "state", str, "checkpoint-1")

    assert answer == "an answer"
    assert handle.asked == [("state", "checkpoint-1")] * 3


async def test_where_nobody_answers_it_says_what_to_do() -> None:
    handle: Any = Handle(*[RPCStatusCode.CANCELLED] * len(PATIENCE))

    with pytest.raises(ServiceUnavailable, match=r"No worker answers for 'orders-1'. Start one with `perdure worker`."):
        await ask(handle, "turns", str)


async def test_what_the_server_refuses_is_not_asked_again() -> None:
    handle: Any = Handle(RPCStatusCode.NOT_FOUND)

    with pytest.raises(RPCError):
        await ask(handle, "turns", str)

    assert handle.asked == [("turns",)]
