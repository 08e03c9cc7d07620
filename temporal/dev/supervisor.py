"""Starts children, notices when one crashes, and sees to it that none outlives its owner."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from temporal.dev import reaper
from temporal.dev.errors import ChildCrashedError
from temporal.dev.process import Child, Command, Probe

REAPER = Path(reaper.__file__)


class Supervisor:
    """An async context manager; leaving it stops all children at the same time, within five seconds.

    Every child joins the process group that the reaper leads, and inherits the descriptor `lock` of the lock
    file at `lock_path`. So the reaper can end them all when the owner is killed, and whoever waits for the
    lock knows when the last of them is gone.
    """

    def __init__(self, lock: int, lock_path: Path) -> None:
        self._lock = lock
        self._lock_path = lock_path
        self._children: list[Child] = []
        self._crash: asyncio.Future[ChildCrashedError] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        """Start the reaper."""
        self._reaper = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(REAPER), str(self._lock_path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            process_group=0,
        )
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop every child, then end what is left of the group, the reaper included."""
        await asyncio.gather(*(child.stop() for child in self._children))
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            os.killpg(self._reaper.pid, signal.SIGKILL)
        await self._reaper.wait()

    @property
    def children(self) -> tuple[Child, ...]:
        """All that were started, those that have ended included."""
        return tuple(self._children)

    async def start(self, command: Command, *, ready: Probe | None = None, within: float = 60.0) -> Child:
        """Start a server, wait until `ready`, and report its end as a crash from then on."""
        child = await self._start(command)
        if ready is not None:
            await self._until_ready(child, ready, within)
        child.when_ended(self._report)
        return child

    async def run(self, command: Command) -> Child:
        """Start a program that is to end by itself."""
        child = await self._start(command)
        child.ending_expected = True
        return child

    async def crashed(self) -> ChildCrashedError:
        """Wait for the first server that ends though nobody stopped it, and return what is known of it."""
        return await asyncio.shield(self._crash)

    async def _start(self, command: Command) -> Child:
        child = await Child.start(command, group=self._reaper.pid, keep_open=[self._lock])
        self._children.append(child)
        return child

    async def _until_ready(self, child: Child, ready: Probe, within: float) -> None:
        try:
            await child.ready(ready, within=within)
        except BaseException:
            await child.stop()
            raise

    def _report(self, child: Child) -> None:
        if not child.ending_expected and not self._crash.done():
            self._crash.set_result(child.crash())
