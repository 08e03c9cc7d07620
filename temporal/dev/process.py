"""One supervised child: its command, its log, its health and its end."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from temporal.dev.errors import ChildCrashedError, NotReadyError, PortLostError

Probe = Callable[[], Awaitable[bool]]
"""Answers, quickly and without raising, whether a child is ready to be used."""

_PROBE_EVERY = 0.05  # seconds
_TAIL_LINES = 15
_TAIL_BYTES = 16_384


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run. `environment` is all that the child sees: nothing of the parent's is added."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    folder: Path | None = None


class Child:
    """A running process whose output goes to its log file."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process) -> None:
        self.command = command
        self.ending_expected = False
        self._process = process
        self._end = asyncio.create_task(process.wait())

    @classmethod
    async def start(cls, command: Command, *, group: int = 0, keep_open: Iterable[int] = ()) -> Self:
        """Start it in process group `group` (0: a new one), where the terminal's Ctrl-C does not reach."""
        with _fresh_log(command.log) as log:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command.arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=asyncio.subprocess.STDOUT,
                    env=command.environment,
                    cwd=command.folder,
                    process_group=group,
                    pass_fds=tuple(keep_open),
                )
            except OSError as error:
                raise ChildCrashedError(
                    f"{command.name} cannot be started: {error}. Check that {command.arguments[0]!r} is a "
                    "program for this machine that this user may run."
                ) from None
        return cls(command, process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, the negative number of the signal that ended it, or None while it runs."""
        return self._process.returncode

    def when_ended(self, notify: Callable[[Self], None]) -> None:
        """Call `notify` with this child once it has ended, expected or not."""
        self._end.add_done_callback(lambda end: None if end.cancelled() else notify(self))

    async def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return await asyncio.shield(self._end)

    async def ended_within(self, seconds: float) -> bool:
        """Wait for its end for at most `seconds`."""
        await asyncio.wait({self._end}, timeout=seconds)
        return self._end.done()

    async def ready(self, probe: Probe, *, within: float) -> None:
        """Wait until `probe` says yes, for at most `within` seconds; an early end is noticed at once."""
        deadline = time.monotonic() + within
        while self.exit_code is None:
            if await probe():
                return
            if time.monotonic() > deadline:
                raise NotReadyError(
                    f"{self.command.name} runs (pid {self.pid}) but was not ready within {within:.0f} s.\n"
                    f"{self._log_tail()}\nIs the machine overloaded? Start it again, or read the log."
                )
            await self.ended_within(_PROBE_EVERY)
        raise self.crash()

    async def stop(self, *, grace: float = 4.0) -> None:
        """Ask it to end, and end it after `grace` seconds. Does nothing to a child that has ended."""
        self.ending_expected = True
        self._signal(signal.SIGTERM)
        if not await self.ended_within(grace):
            self._signal(signal.SIGKILL)
        await self.wait()

    def kill(self) -> None:
        """End it at once, as `kill -9` does. `wait` tells when it is gone."""
        self.ending_expected = True
        self._signal(signal.SIGKILL)

    def crash(self) -> ChildCrashedError:
        """Describe an end that nobody asked for."""
        said = self._log_tail()
        kind = PortLostError if self._lost_its_port() else ChildCrashedError
        return kind(f"{self.command.name} (pid {self.pid}) {self._how_it_ended()}.\n{said}")

    def _how_it_ended(self) -> str:
        code = self.exit_code
        if code is not None and code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended by itself with exit code {code}"

    def _lost_its_port(self) -> bool:
        """Looks through the whole log: a program that panics says why first, and then where, at length."""
        log = self.command.log
        return log.exists() and "address already in use" in log.read_text(errors="replace").lower()

    def _log_tail(self) -> str:
        lines = tail(self.command.log)
        return (
            f"The last lines of {str(self.command.log)!r}:\n{lines}"
            if lines
            else f"Its log {str(self.command.log)!r} is empty."
        )

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


def tail(log: Path, *, lines: int = _TAIL_LINES) -> str:
    """Read the last `lines` of a log, each indented; nothing of a log that somebody deleted."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])


def _fresh_log(log: Path) -> BinaryIO:
    """Open an empty log, and keep the one before it as `NAME.log.1`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    return log.open("wb")
