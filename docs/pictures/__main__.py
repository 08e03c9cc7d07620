"""A real stack, real commands in a real terminal, a real browser: what the pictures show has happened."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from docs.pictures.browser import NoBrowser, open_browser
from docs.pictures.stack import NotRunning, environment, open_stack
from docs.pictures.terminal import CommandFailed, Screen, run_in_terminal
from temporal.cli.demo import QUESTION as DEMO_QUESTION

if TYPE_CHECKING:
    from docs.pictures.browser import Browser

IMAGES = Path(__file__).parents[1] / "images"
QUESTION = "How is an activity notified that it was cancelled?"
LARGEST = 400_000
"""Bytes of one picture: a page of documentation should not weigh more than what it says."""


class Unfit(Exception):
    """A picture that shows what it should not, or weighs too much."""


def main() -> None:
    with TemporaryDirectory(prefix="perdure-pictures-") as folder, open_browser() as browser:
        home = Path(folder)
        with open_stack(home):
            _ingest(home)
            screen = _in_terminal(home, "run", "research", QUESTION)
            _picture_terminal(browser, screen, IMAGES / "terminal.png")
            _picture_web_ui(browser, _url(screen), IMAGES / "web-ui.png")
        crashed = _in_terminal(home, "demo", "--crash")
        _picture_terminal(browser, crashed.since(DEMO_QUESTION), IMAGES / "crash.png")


def _ingest(home: Path) -> None:
    """Waits for the ingestion that `perdure dev` began, so that the run finds something."""
    command = [sys.executable, "-m", "temporal.cli", "result", "ingest-docs"]
    subprocess.run(command, check=True, cwd=home, env=environment(home), stdout=sys.stderr)  # noqa: S603 -- our own


def _in_terminal(home: Path, *arguments: str) -> Screen:
    typed = " ".join(f'"{argument}"' if " " in argument else argument for argument in ("perdure", *arguments))
    return run_in_terminal(
        [sys.executable, "-m", "temporal.cli", *arguments],
        typed=typed,
        environment=environment(home),
        folder=home,
    )


def _url(screen: Screen) -> str:
    found = re.search(r"Web UI: (http\S+)", screen.text)
    if found is None:
        raise Unfit(f"The terminal shows no address of the web UI:\n{screen.text}")
    return found[1]


def _picture_terminal(browser: Browser, screen: Screen, path: Path) -> None:
    _refuse_traces(screen.text)
    _save(browser.picture_of_html(screen.html()), path)


def _picture_web_ui(browser: Browser, url: str, path: Path) -> None:
    picture, text = browser.picture_of_run(url, steps=["call_model", "retrieve"])
    _refuse_traces(text)
    _save(picture, path)


def _refuse_traces(text: str) -> None:
    """The machine that draws the pictures is nobody's business."""
    for trace in (f"@{socket.gethostname()}", str(Path.home()), str(Path.cwd()), "perdure-pictures-"):
        if trace in text:
            raise Unfit(f"The picture would show {trace!r}, which belongs to this machine:\n{text}")


def _save(picture: bytes, path: Path) -> None:
    if len(picture) > LARGEST:
        raise Unfit(f"{path.name} has {len(picture):,} bytes, more than {LARGEST:,}. Show less, or scale it down.")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(picture)
    sys.stdout.write(f"{path.relative_to(Path.cwd())}: {len(picture):,} bytes\n")


if __name__ == "__main__":
    try:
        main()
    except (CommandFailed, NoBrowser, NotRunning, Unfit) as error:
        sys.exit(f"pictures: {error}")
