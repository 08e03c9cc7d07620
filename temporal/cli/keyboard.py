"""Reads lines from whoever types, or from a pipe. Runs in the main thread, which alone takes signals.

In a terminal the standard `readline` edits the line and remembers those before it.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

GIVE_UP = signal.SIGUSR1


class GivenUp(Exception):
    """What was asked for is not wanted any more."""


class Keyboard:
    """`is_terminal` where a person types, and sees what is prompted."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self._unless: Future[Any] | None = None
        self._readline: Any = _line_editing() if self.is_terminal else None

    def read(self, prompt: str, *, given: str = "", unless: Future[Any] | None = None) -> str:
        """A line; `given` is what stands in it at the beginning. Raises EOFError at the end, `GivenUp` once `unless`
        is done, and KeyboardInterrupt for Ctrl-C.
        """
        with self._interruptible(unless):
            if unless is not None:
                unless.add_done_callback(lambda _: self._give_up())
            return self._line(prompt, given)

    def _line(self, prompt: str, given: str) -> str:
        if not self.is_terminal:
            if line := sys.stdin.readline():
                return line.rstrip("\n")
            raise EOFError
        if self._readline:
            self._readline.set_startup_hook(lambda: self._readline.insert_text(given))
        return input(prompt)

    @contextmanager
    def _interruptible(self, unless: Future[Any] | None) -> Iterator[None]:
        interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(GIVE_UP, self._leave)
        try:
            self._unless = unless
            yield
        finally:
            self._unless = None
            signal.signal(signal.SIGINT, interrupt)

    def _leave(self, *_signal: object) -> None:
        """It may come late, when something else is read, or nothing."""
        if self._unless and self._unless.done():
            self._unless = None
            raise GivenUp

    def _give_up(self) -> None:
        """From any thread. Nothing but a signal to the thread that reads a line ends that."""
        if self._unless and self._unless.done():
            signal.pthread_kill(threading.main_thread().ident or 0, GIVE_UP)


def _line_editing() -> Any:
    """None on systems that have none. What is pasted stays one input, be it of several lines."""
    try:
        import readline  # noqa: PLC0415 -- it changes `input` as soon as it is imported
    except ImportError:
        return None
    readline.parse_and_bind("set enable-bracketed-paste on")
    return readline
