"""Runs a command in a pseudo-terminal and keeps its last screen, as text and as HTML."""

from __future__ import annotations

import html
import os
import pty
import select
import subprocess
import termios
import time
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pyte.screens import Char

COLUMNS, ROWS = 100, 60
"""Taller than what is shown: nothing scrolls away, and the empty rows are cut off."""
PATIENCE = 120.0
PROMPT = "\x1b[1;92m$\x1b[0m "

FOREGROUND, BACKGROUND = "#d5d9e0", "#16181d"
PALETTE = {
    "default": FOREGROUND,
    "black": "#262a33",
    "red": "#f47067",
    "green": "#57c07f",
    "brown": "#e0b056",
    "blue": "#6cb0f5",
    "magenta": "#c297ea",
    "cyan": "#56c2d0",
    "white": "#d5d9e0",
    "brightblack": "#848c9b",
    "brightred": "#ff938a",
    "brightgreen": "#6bd895",
    "brightbrown": "#f2cc60",
    "brightblue": "#8ec5ff",
    "brightmagenta": "#dab6fc",
    "brightcyan": "#79dbe6",
    "brightwhite": "#ffffff",
}
PAGE = f"""\
<!doctype html>
<meta charset="utf-8">
<style>
  body {{ margin: 0; padding: 24px 36px 48px; width: max-content; background: transparent }}
  main {{ border-radius: 11px; background: {BACKGROUND}; color: {FOREGROUND}; border: 1px solid #353a45;
          box-shadow: 0 12px 28px rgb(0 0 0 / 0.38); overflow: hidden }}
  header {{ display: flex; gap: 8px; align-items: center; padding: 11px 15px; background: #21242b }}
  i {{ width: 12px; height: 12px; border-radius: 6px }}
  pre {{ margin: 0; padding: 15px 20px 19px; width: {COLUMNS}ch; font-size: 14.5px; line-height: 1.47;
         font-family: "JetBrains Mono", "DejaVu Sans Mono", Menlo, monospace; font-variant-ligatures: none }}
</style>
<main>
<header><i style="background:#ff5f57"></i><i style="background:#febc2e"></i><i style="background:#28c840"></i></header>
<pre>{{rows}}</pre>
</main>
"""


class CommandFailed(Exception):
    pass


class FaintScreen(pyte.Screen):
    """pyte knows no faint text; here it is grey, which is what most terminals make of it."""

    FAINT, GREY, COLOURS_FOLLOW = 2, 90, {38, 48}

    def select_graphic_rendition(self, *attrs: int) -> None:
        if not self.COLOURS_FOLLOW & set(attrs):
            attrs = tuple(self.GREY if attribute == self.FAINT else attribute for attribute in attrs)
        super().select_graphic_rendition(*attrs)


@dataclass(frozen=True, slots=True)
class Screen:
    """What the terminal shows at the end, without the empty rows below."""

    rows: Sequence[Sequence[Char]]

    @property
    def text(self) -> str:
        return "\n".join("".join(cell.data for cell in row).rstrip() for row in self.rows)

    def since(self, text: str) -> Screen:
        """What is left when one scrolls down to the first row with `text`."""
        first = next((number for number, row in enumerate(self.text.splitlines()) if text in row), 0)
        return Screen(self.rows[first:])

    def html(self) -> str:
        return PAGE.replace("{rows}", "\n".join("".join(_spans(row)) for row in self.rows))


def run_in_terminal(
    command: Sequence[str],
    *,
    typed: str,
    environment: Mapping[str, str],
    folder: Path,
    answers: Sequence[tuple[str, str]] = (),
) -> Screen:
    """Raises CommandFailed with what the screen shows. `typed` is how a person enters the command, and `answers` what
    they type once the last row of the screen ends so.
    """
    screen = FaintScreen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    stream.feed(f"{PROMPT}{typed}\r\n".encode())
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
    with subprocess.Popen(  # noqa: S603 -- our own command
        command,
        cwd=folder,
        env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            waiting = [*answers]
            for written in _output(ours):
                stream.feed(written)
                if waiting and _last_row(screen).endswith(waiting[0][0]):
                    os.write(ours, waiting.pop(0)[1].encode())
        finally:
            os.close(ours)
            process.terminate()
    shown = _snapshot(screen)
    if process.returncode:
        raise CommandFailed(f"{typed} ended with exit code {process.returncode}:\n{shown.text}")
    return shown


def _output(terminal: int) -> Iterator[bytes]:
    """Ends when the command has closed its side, which Linux reports as an error and macOS as an end of file."""
    deadline = time.monotonic() + PATIENCE
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            written = os.read(terminal, 65_536)
        except OSError:
            return
        if not written:
            return
        yield written
    raise CommandFailed(f"The command was not over within {PATIENCE:.0f} s.")


def _last_row(screen: pyte.Screen) -> str:
    return str(screen.display[screen.cursor.y][: screen.cursor.x])


def _snapshot(screen: pyte.Screen) -> Screen:
    rows = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
    while rows and not "".join(cell.data for cell in rows[-1]).strip():
        rows.pop()
    return Screen(rows)


def _spans(row: Sequence[Char]) -> Iterator[str]:
    for style, cells in groupby(row, key=_style):
        yield f'<span style="{style}">{html.escape("".join(cell.data for cell in cells))}</span>'


def _style(cell: Char) -> str:
    foreground, background = _colour(cell.fg), _colour(cell.bg) if cell.bg != "default" else BACKGROUND
    if cell.reverse:
        foreground, background = background, foreground
    return ";".join(
        [
            f"color:{foreground}",
            *([f"background:{background}"] if background != BACKGROUND else []),
            *(["font-weight:700"] if cell.bold else []),
            *(["font-style:italic"] if cell.italics else []),
            *(["text-decoration:underline"] if cell.underscore else []),
        ]
    )


def _colour(name: str) -> str:
    return PALETTE.get(name, f"#{name}")
