"""The workers of a pass, and what befalls them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
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
        self._ended: set[int] = set()
        """Those that were told to end."""
        self._later: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """At the end all are told to end, and it is seen to that they leave nothing behind."""
        await self._replace()
        yield
        await asyncio.gather(*self._later)
        await asyncio.gather(*(self._stop(worker) for worker in self._alive))
        if left := [pid for pid in self._tool_processes() if _leads_a_group(pid)]:
            self._report.violation(f"Processes of tools live on when their workers have ended: {left}")

    async def have_mishaps(self, seconds: float) -> None:
        """One after another, for so long. Then all are at work."""
        mishaps: list[Callable[[], None]] = [self._kill, self._stop_one, self._freeze, self._kill_tool]
        over = time.monotonic() + seconds
        while (pause := self._random.uniform(*PAUSE)) < over - time.monotonic():
            await asyncio.sleep(pause)
            await self._replace()
            [mishap] = self._random.choices(mishaps, weights=[3, 2, 3, 2])
            mishap()
        await self._replace()

    @property
    def _alive(self) -> list[Child]:
        return [worker for worker in self._all if worker.exit_code is None and worker.pid not in self._ended]

    async def _replace(self) -> None:
        """Starts as many as are missing, and tells of those that were missing unasked."""
        for worker in self._all:
            if worker.exit_code is not None and worker.pid not in self._ended:
                self._ended.add(worker.pid)
                self._report.violation(f"A worker ended by itself.\n{worker.crash()}")
        for _ in range(AT_WORK - len(self._alive)):
            await self._start()

    async def _start(self) -> None:
        """It is at work when this returns: what is killed before that has nothing to lose."""
        number, cached = len(self._all) + 1, self._random.choice(["0", "100", "100", "100"])
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
            self._ended.add(worker.pid)
            worker.kill()

    def _stop_one(self) -> None:
        for worker in self._chosen():
            self._report.say(f"worker {worker.pid} is told to end")
            self._ended.add(worker.pid)
            self._do_later(self._stop(worker))

    async def _stop(self, worker: Child) -> None:
        self._ended.add(worker.pid)
        _signal(worker.pid, signal.SIGCONT)
        await worker.stop(grace=STOPPING)
        if worker.exit_code == -signal.SIGKILL:
            self._report.violation(
                f"A worker had not ended {STOPPING:.0f} s after it was told to: {worker.command.log}"
            )

    def _freeze(self) -> None:
        for worker in self._chosen():
            seconds = self._random.uniform(*FREEZE)
            self._report.say(f"worker {worker.pid} is frozen for {seconds:.1f} s")
            _signal(worker.pid, signal.SIGSTOP)
            self._do_later(_thaw(worker, seconds))

    def _chosen(self) -> list[Child]:
        """One, or now and then all."""
        alive = self._alive
        return alive if self._random.random() < ALL else self._random.sample(alive, 1)

    def _kill_tool(self) -> None:
        """A process in which a tool is at work."""
        ended = {(entry.key, entry.attempt) for entry in ledger.read() if entry.what == "ended"}
        at_work = [
            entry.pid
            for entry in ledger.read()
            if entry.what == "began" and (entry.key, entry.attempt) not in ended and _leads_a_group(entry.pid)
        ]
        if tools := sorted({*at_work} & self._tool_processes()):
            pid = self._random.choice(tools)
            self._report.say(f"kill -9 of tool process {pid}")
            _signal(pid, signal.SIGKILL)

    def _tool_processes(self) -> set[int]:
        return {entry.pid for entry in ledger.read()} - {worker.pid for worker in self._all}

    def _do_later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


async def _thaw(worker: Child, seconds: float) -> None:
    await asyncio.sleep(seconds)
    _signal(worker.pid, signal.SIGCONT)


def _leads_a_group(pid: int) -> bool:
    """As processes of tools do."""
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
