"""What ends is the author's code, in the midst of whatever calls it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from agents.errors import ComputedTooLong
from temporal.watchdog import Watchdog, _Activation

FRAMEWORK = """
def drive(authors, broken, stopped):
    try:
        for _ in authors:
            for _ in range(20_000):
                if stopped.is_set():
                    return
    except BaseException as error:
        broken.append(error)
"""


def spin_politely(caught: list[str]) -> Iterator[None]:
    try:
        while True:
            for _ in range(2_000):
                pass
            yield
    except ComputedTooLong as error:
        caught.append(str(error))


def test_an_interruption_hits_the_code_that_computes_and_not_its_framework() -> None:
    """The framework computes ten times as long as the author's code that it comes back to again and again."""
    framework: dict[str, object] = {"__name__": "langgraph.made_up"}
    exec(FRAMEWORK, framework)  # noqa: S102 -- a module of that name

    for _ in range(5):
        caught, broken, stopped = [], [], threading.Event()
        authors = spin_politely(caught)
        thread = threading.Thread(target=framework["drive"], args=(authors, broken, stopped))
        thread.start()
        activation = _Activation("run-1", thread.ident)
        deadline = time.monotonic() + 60
        while thread.is_alive() and not activation.interruptions and time.monotonic() < deadline:
            Watchdog()._interrupt(activation, authors.gi_frame)
        if not activation.interruptions:
            stopped.set()
        thread.join()

        assert broken == []
        assert len(caught) == 1
        assert f"inside a workflow ({__file__}:" in caught[0]
