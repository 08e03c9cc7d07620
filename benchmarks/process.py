"""The parent's side of `serve.py`: a contestant's process, what it is asked, and its end."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.load import Timing
from benchmarks.serve import CPU, READY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from benchmarks.load import Load
    from benchmarks.roster import Contestant

FOREIGN = ("PERDURE_", "TEMPORAL_", "LANGCHAIN_", "LANGSMITH_")
"""Prefixes of variables that would change what is measured."""

LONGEST_ANSWER = 2**20


class ContestantFailed(Exception):
    """A contestant's process ended, or did the job wrong."""


@dataclass(frozen=True)
class ContestantProcess:
    """A contestant that can be measured once it is `ready`."""

    contestant: Contestant
    process: Process
    log: Path

    async def ready(self) -> None:
        if (said := await self._answer()) != READY:
            raise ContestantFailed(f"{self.contestant.name!r} said {said!r} before it was ready.")

    async def cpu(self) -> float:
        """Seconds of CPU time that it has used, all its threads together."""
        return float(await self._ask(CPU))

    async def drive(self, load: Load) -> Timing:
        return Timing.model_validate_json(await self._ask(load.model_dump_json()))

    async def _ask(self, request: str) -> str:
        assert self.process.stdin is not None  # noqa: S101 -- it was made with a pipe
        with suppress(ConnectionError):  # `_answer` says more
            self.process.stdin.write(f"{request}\n".encode())
            await self.process.stdin.drain()
        return await self._answer()

    async def _answer(self) -> str:
        assert self.process.stdout is not None  # noqa: S101 -- it was made with a pipe
        line = (await self.process.stdout.readline()).decode().strip()
        if not line:
            said = self.log.read_text(errors="replace")[-3_000:]
            raise ContestantFailed(f"The process of {self.contestant.name!r} ended. Its last words:\n{said}")
        return line

    async def end(self) -> None:
        """At once: it holds nothing that anybody will miss."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def start(contestant: Contestant, address: str, state: Path) -> AsyncIterator[ContestantProcess]:
    """Its process, with all its files in `state`. Ctrl-C reaches the parent alone, which ends it in order."""
    log = state / f"{contestant.task_queue}.log"
    command = ("benchmarks.serve", contestant.opens, address, contestant.task_queue)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(interpreter(contestant), "-m", *command),
            stdin=PIPE,
            stdout=PIPE,
            stderr=output,
            env=environment(state),
            limit=LONGEST_ANSWER,
            process_group=0,
        )
    started = ContestantProcess(contestant, process, log)
    try:
        yield started
    finally:
        await started.end()


def interpreter(contestant: Contestant) -> Path:
    if not contestant.python.exists():
        raise ContestantFailed(
            f"{contestant.name!r} has no environment in {str(contestant.python)!r}. Run `make bench`."
        )
    return contestant.python


def environment(state: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return own | {"TMPDIR": str(state)}
