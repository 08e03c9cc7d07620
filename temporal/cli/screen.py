"""Where a chat is shown: a terminal, in which what is under way is alive, or plain lines.

As lines, answers go to stdout and all else to stderr.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from temporal.cli.display import rendered

if sys.platform != "win32":
    import termios

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import ConsoleOptions, RenderResult

SPARE_ROWS = 6
"""Of a terminal, for what stands below the text that is being written."""

FEWEST_ROWS = 4
LOCAL_MODES = 3
"""Where termios keeps them."""


class Screen(Protocol):
    def line(self, text: Text | str) -> None:
        """Shows a line that stays."""

    def say(self, output: Any) -> None:
        """Shows what the agent says: markdown, or the JSON of something else."""

    def alive(self, text: str, lines: Sequence[Text]) -> None:
        """Shows what is under way, in place of what was: a text that is being written, and what it waits for."""

    def opened(self) -> Any:
        """A block in which `alive` shows something."""

    def paused(self) -> Any:
        """A block within it in which the keyboard is read."""


def open_screen() -> Screen:
    console = Console(highlight=False)
    return TerminalScreen(console) if console.is_terminal else LineScreen()


class LineScreen:
    def __init__(self) -> None:
        self._answers = Console(highlight=False, no_color=True)
        self._rest = Console(stderr=True, highlight=False, no_color=True)

    def line(self, text: Text | str) -> None:
        self._rest.print(Text(str(text)), soft_wrap=True)

    def say(self, output: Any) -> None:
        self._answers.print(rendered(output, self._answers), soft_wrap=True)

    def alive(self, text: str, lines: Sequence[Text]) -> None:
        """What is under way is no line."""

    @contextmanager
    def opened(self) -> Iterator[None]:
        yield

    paused = opened


class TerminalScreen:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def line(self, text: Text | str) -> None:
        self._console.print(text if isinstance(text, Text) else Text(text))

    def say(self, output: Any) -> None:
        self._console.print()
        self._console.print(rendered(output, self._console))
        self._console.print()

    def alive(self, text: str, lines: Sequence[Text]) -> None:
        """It is drawn some times a second, however often it changes."""
        if self._live:
            written = [LastRows(Markdown(text))] if text else []
            self._live.update(Group(*written, *(Spinner("dots", line, style="cyan") for line in lines)))

    @contextmanager
    def opened(self) -> Iterator[None]:
        with Live(console=self._console, transient=True, refresh_per_second=12) as live, silent_keyboard():
            self._live = live
            try:
                yield
            finally:
                self._live = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        live, self._live = self._live, None
        if live is None:
            yield
            return
        live.stop()
        try:
            with audible_keyboard():
                yield
        finally:
            live.start(refresh=True)
            self._live = live


class LastRows:
    """The last rows of what may be taller than the terminal: it can't be alive above the terminal's edge."""

    def __init__(self, content: Markdown) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = console.render_lines(self._content, options.update(height=None), pad=False)
        for row in rows[-max(FEWEST_ROWS, console.height - SPARE_ROWS) :]:
            yield from row
            yield Segment.line()


@contextmanager
def silent_keyboard() -> Iterator[None]:
    """What is typed meanwhile is kept for the next line, and does not run into what is shown."""
    with _echo(wanted=False):
        yield


@contextmanager
def audible_keyboard() -> Iterator[None]:
    with _echo(wanted=True):
        yield


@contextmanager
def _echo(*, wanted: bool) -> Iterator[None]:
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    changed = [*before]
    changed[LOCAL_MODES] = before[LOCAL_MODES] | termios.ECHO if wanted else before[LOCAL_MODES] & ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, changed)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
