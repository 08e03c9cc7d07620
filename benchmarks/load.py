"""A load, a number of runs of which so many are in flight at once, and how to drive it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from benchmarks.job import ANSWER

Run = Callable[[str], Awaitable[Any]]
"""Does the job once, under the id that it is given, and returns the answer."""


class Load(BaseModel):
    """`turns` says in how many parts the runs come, between which other contestants have theirs."""

    model_config = ConfigDict(frozen=True)

    at_once: int
    runs: int
    turns: int = 1

    @property
    def turn(self) -> Load:
        return Load(at_once=self.at_once, runs=self.runs // self.turns)


class Timing(BaseModel):
    """`latencies` holds the seconds of each run, `seconds` the time of all of them together."""

    model_config = ConfigDict(frozen=True)

    latencies: list[float]
    seconds: float
    last: str
    """The id of one of the runs."""


class WrongAnswer(Exception):
    """A contestant that does another job can't be compared."""


async def drive(run: Run, load: Load) -> Timing:
    identifiers = [f"bench-{uuid.uuid4().hex}" for _ in range(load.runs)]
    waiting = iter(identifiers)
    latencies: list[float] = []

    async def keep_one_in_flight() -> None:
        for identifier in waiting:
            began = time.perf_counter()
            answer = await run(identifier)
            latencies.append(time.perf_counter() - began)
            if answer != ANSWER:
                raise WrongAnswer(f"Expected {ANSWER!r}, not {answer!r}.")

    began = time.perf_counter()
    await asyncio.gather(*(keep_one_in_flight() for _ in range(load.at_once)))
    return Timing(latencies=latencies, seconds=time.perf_counter() - began, last=identifiers[-1])
