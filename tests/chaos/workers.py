"""The workers of a pass, and what befalls them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from temporal.dev.process import Child, Command
from temporal.dev.supervisor import Supervisor
from tests.chaos import ledger
from tests.chaos.report import Report

QUEUE = "chaos"

AT_WORK_NOW = "This worker is at work."
"""What it says when it is."""

AT_WORK = 2
"""Workers that are kept running."""

CACHED = ("3", "100", "100", "100")
"""Runs that a worker keeps, fewer than there are or all. With none, the SDK drops runs whose local steps are under way:
a task of theirs fails, and is tried again.
"""

PAUSE = (2.0, 6.0)
"""Seconds between two mishaps."""

ALL = 0.3
"""How often a mishap befalls all workers at once."""

FREEZE = (1.0, 7.0)
"""Seconds that a worker is frozen: some lose their steps by it, and some do not."""

STOPPING = 30.0
"""Seconds that a worker may take to end when it is asked to."""


class Workers:
    def __init__(self, supervisor: Supervisor, address: str, folder: Path, random: Random, report: Report) -> None:
        self._supervisor = supervisor
        self._address = address
        self._folder = folder
        self._random = random
        self._report = report
        self._all: list[Child] = []
        self._ended: set[Child] = set()
        """Those that were told to end."""
        self._later: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """At the end all are told to end, and it is seen to that they leave nothing behind."""
        await self._replace()
        yield
        await asyncio.gather(*self._later)
        await asyncio.gather(*(self._stop(worker) for worker in self._alive))
        if left := self._tool_processes():
            self._report.violation(f"Processes of tools live on when their workers have ended: {left}")

    async def have_mishaps(self, seconds: float) -> None:
        """One after another, for so long. Then all are at work."""
        mishaps: list[Callable[[], None]] = [self._kill, self._tell_to_end, self._freeze, self._kill_tool]
        over = time.monotonic() + seconds
        while (pause := self._random.uniform(*PAUSE)) < over - time.monotonic():
            await asyncio.sleep(pause)
            await self._replace()
            [mishap] = self._random.choices(mishaps, weights=[3, 2, 3, 2])
            mishap()
        await self._replace()

    @property
    def _alive(self) -> list[Child]:
        return [worker for worker in self._all if worker.exit_code is None and worker not in self._ended]

    async def _replace(self) -> None:
        """Starts as many as are missing, and tells of those that were missing unasked."""
        for worker in self._all:
            if worker.exit_code is not None and worker not in self._ended:
                self._ended.add(worker)
                self._report.violation(f"A worker ended by itself.\n{worker.crash()}")
        for _ in range(AT_WORK - len(self._alive)):
            await self._start()

    async def _start(self) -> None:
        """It is at work when this returns: what is killed before that has nothing to lose."""
        number, cached = len(self._all) + 1, self._random.choice(CACHED)
        command = Command(
            name="A worker",
            arguments=(sys.executable, "-m", "tests.chaos.worker", self._address, QUEUE, cached),
            environment=os.environ,
            log=self._folder / "logs" / f"worker-{number}.log",
        )
        self._all.append(worker := await self._supervisor.run(command))
        while worker.exit_code is None and AT_WORK_NOW not in command.log.read_text():
            await asyncio.sleep(0.1)

    def _kill(self) -> None:
        for worker in self._chosen():
            self._report.say(f"kill -9 of worker {worker.pid}")
            self._ended.add(worker)
            worker.kill()

    def _tell_to_end(self) -> None:
        for worker in self._chosen():
            self._report.say(f"worker {worker.pid} is told to end")
            self._ended.add(worker)
            self._do_later(self._stop(worker))

    async def _stop(self, worker: Child) -> None:
        self._ended.add(worker)
        _signal(worker, signal.SIGCONT)
        await worker.stop(grace=STOPPING)
        if worker.exit_code == -signal.SIGKILL:
            self._report.violation(
                f"A worker had not ended {STOPPING:.0f} s after it was told to: {worker.command.log}"
            )

    def _freeze(self) -> None:
        for worker in self._chosen():
            seconds = self._random.uniform(*FREEZE)
            self._report.say(f"worker {worker.pid} is frozen for {seconds:.1f} s")
            _signal(worker, signal.SIGSTOP)
            self._do_later(_thaw(worker, seconds))

    def _chosen(self) -> list[Child]:
        """One, or now and then all."""
        alive = self._alive
        return alive if self._random.random() < ALL else self._random.sample(alive, 1)

    def _kill_tool(self) -> None:
        """The process of a tool that is at work, where there is one."""
        entries, tools = ledger.read(), self._tool_processes()
        ended = {(entry.key, entry.attempt) for entry in entries if entry.what == "ended"}
        begun = {entry.pid for entry in entries if entry.what == "began" and (entry.key, entry.attempt) not in ended}
        if choice := sorted(begun & tools) or sorted(tools):
            pid = self._random.choice(choice)
            self._report.say(f"kill -9 of tool process {pid}")
            os.kill(pid, signal.SIGKILL)

    def _tool_processes(self) -> set[int]:
        noted = {entry.pid for entry in ledger.read()} - {worker.pid for worker in self._all}
        return {pid for pid in noted if _is_ours(pid)}

    def _do_later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


async def _thaw(worker: Child, seconds: float) -> None:
    await asyncio.sleep(seconds)
    _signal(worker, signal.SIGCONT)


def _signal(worker: Child, number: signal.Signals) -> None:
    if worker.exit_code is None:
        os.kill(worker.pid, number)


def _is_ours(pid: int) -> bool:
    """The number of a process that has ended may be another's by now. Without /proc none is known to be ours."""
    try:
        return os.environ[ledger.LEDGER].encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
