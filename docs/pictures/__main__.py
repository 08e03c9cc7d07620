"""A real stack, real commands in a real terminal, a real browser: what the pictures show has happened."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from docs.pictures.browser import NoBrowser, open_browser
from docs.pictures.stack import NotRunning, environment, open_stack
from docs.pictures.terminal import CommandFailed, Screen, run_in_terminal
from temporal.cli.demo import QUESTION as DEMO_QUESTION
from tests.integration.provider_server import Reply, serve_provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docs.pictures.browser import Browser

IMAGES = Path(__file__).parents[1] / "images"


def look_up(order: str) -> Reply:
    return Reply(text="", tool_calls=(("look_up_order", {"order": order}),))


def refund(order: str, cents: int, reason: str) -> Reply:
    return Reply(text="", tool_calls=(("refund", {"order": order, "cents": cents, "reason": reason}),))


QUESTION = "How is an activity notified that it was cancelled?"
CONVERSATION = (
    look_up("A-1002"),
    Reply(text="Your **office chair** is on its way. It should be with you on *9 March*."),
    look_up("A-1004"),
    refund("A-1004", 8_900, "returned on 27 February"),
    Reply(text="Yes: your **monitor arm** came back on 27 February, and **89.00 EUR** are on their way to you."),
)
LARGEST = 400_000
"""Bytes of one picture: a page of documentation should not weigh more than what it says."""


class Unfit(Exception):
    """A picture that shows what it should not, or weighs too much."""


def main(wanted: Sequence[str]) -> None:
    """All pictures, or those of the scenes that are named."""
    if unknown := set(wanted).difference(SCENES):
        raise Unfit(f"There is no scene {unknown.pop()!r}. There are {', '.join(SCENES)}.")
    with open_browser() as browser:
        for name in wanted or SCENES:
            with TemporaryDirectory(prefix="perdure-pictures-") as folder:
                SCENES[name](browser, Path(folder))


def _research(browser: Browser, home: Path) -> None:
    with open_stack(home):
        _ingest(home)
        screen = _in_terminal(home, "run", "research", QUESTION)
        _picture_terminal(browser, screen, IMAGES / "terminal.png")
        _picture_web_ui(browser, _url(screen), IMAGES / "web-ui.png")


def _watch(browser: Browser, home: Path) -> None:
    with open_stack(home):
        _ingest(home)
        run = _perdure(home, "run", "research", QUESTION, "--detach").strip()
        _picture_terminal(browser, _in_terminal(home, "watch", run), IMAGES / "watch.png")
        _picture_terminal(browser, _in_terminal(home, "history", run), IMAGES / "history.png")


def _support(browser: Browser, home: Path) -> None:
    """The model is a script: nobody's key is at hand, and all else is as it is."""
    with serve_provider() as provider, open_stack(home, provider.model):
        _ingest(home)
        provider.will_reply(*CONVERSATION)
        answers = [("> ", "Where is my chair, A-1002?\r"), ("> ", "And may I have my money back for A-1004?\r")]
        answers += [("ones, too: ", "y\r"), ("> ", "\x04")]
        chat = _in_terminal(home, "chat", "support", "--thread", "customer-16", answers=answers)
        _picture_terminal(browser, chat, IMAGES / "chat.png")
        provider.will_reply(refund("A-1001", 4_900, "it flickers"), refund("A-1003", 5_000, "two weeks late"))
        for thread in ("customer-17", "customer-18"):
            _perdure(home, "send", "support", "Money back, please!", "--thread", thread, "--detach")
            while f'"run": "{thread}"' not in _perdure(home, "inbox", "--json"):
                time.sleep(0.2)
        _picture_terminal(browser, _in_terminal(home, "inbox"), IMAGES / "inbox.png")


def _crash(browser: Browser, home: Path) -> None:
    crashed = _in_terminal(home, "demo", "--crash")
    _picture_terminal(browser, crashed.since(DEMO_QUESTION), IMAGES / "crash.png")


SCENES = {"research": _research, "watch": _watch, "support": _support, "crash": _crash}


def _ingest(home: Path) -> None:
    """Waits for the ingestion that `perdure dev` began, so that the run finds something."""
    sys.stderr.write(_perdure(home, "result", "ingest-docs"))


def _perdure(home: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "temporal.cli", *arguments]
    called = subprocess.run(command, check=True, cwd=home, env=environment(home), stdout=subprocess.PIPE, text=True)  # noqa: S603 -- our own
    return called.stdout


def _in_terminal(home: Path, *arguments: str, answers: Sequence[tuple[str, str]] = ()) -> Screen:
    typed = " ".join(f'"{argument}"' if " " in argument else argument for argument in ("perdure", *arguments))
    return run_in_terminal(
        [sys.executable, "-m", "temporal.cli", *arguments],
        typed=typed,
        environment=environment(home),
        folder=home,
        answers=answers,
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
        main(sys.argv[1:])
    except (CommandFailed, NoBrowser, NotRunning, Unfit) as error:
        sys.exit(f"pictures: {error}")
