"""Somebody at a real terminal: reads what a program shows there, and types."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PATIENCE = 120.0
ROWS, COLUMNS = 50, 160
CTRL_C, CTRL_D, CTRL_U = "\x03", "\x04", "\x15"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|[\r\x07\x01\x02]")


@dataclass
class Person:
    """`shown` is all that came since it was last looked for something, without the codes of the terminal."""

    process: asyncio.subprocess.Process
    terminal: int
    raw: bytearray = field(default_factory=bytearray)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    seen: int = 0

    @property
    def text(self) -> str:
        return CONTROL.sub("", self.raw.decode(errors="replace"))

    async def sees(self, words: str) -> str:
        """What came up to `words`, since what was seen before."""
        try:
            async with asyncio.timeout(PATIENCE):
                while (place := self.text.find(words, self.seen)) < 0:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(f"{words!r} did not come:\n{self.text}") from None
        before, self.seen = self.text[self.seen : place], place + len(words)
        return before

    def types(self, line: str) -> None:
        self.presses(f"{line}\r")

    def presses(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    async def leaves(self) -> int:
        """The exit code, once the program has ended."""
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


@asynccontextmanager
async def at_terminal(*command: str, environment: Mapping[str, str]) -> AsyncIterator[Person]:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**environment, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    person = Person(process, ours)
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, _read, person)
    try:
        yield person
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()


def _read(person: Person) -> None:
    try:
        person.raw += os.read(person.terminal, 65_536)
    except OSError:  # the other side is closed
        asyncio.get_running_loop().remove_reader(person.terminal)
    person.changed.set()


def _take_terminal() -> None:
    """Ctrl-C reaches those whose terminal it is."""
    import fcntl  # noqa: PLC0415 -- in the child alone

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
