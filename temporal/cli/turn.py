"""A turn as it happens: what its events change of what is shown. Knows neither terminal nor server."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.text import Text

from activities.events import ResetEvent, StepEvent, TokenEvent
from activities.model import CALL_MODEL
from temporal.cli.display import cited, cost, describe, duration
from temporal.outcome import RunFailed
from temporal.steps import Step
from temporal.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Callable

    from activities.events import Event
    from temporal.cli.screen import Screen
    from workflows.turns import Turn

THINKING = "thinking"


@dataclass(frozen=True, slots=True)
class Open:
    """A step under way, and when it was heard of."""

    step: Step
    since: float


class TurnView:
    """Shows one turn of a thread. Models' steps are shown by what they write, all others as a line each.

    A text stays alive until something comes after it: until then, an attempt that failed takes it back.
    """

    def __init__(self, screen: Screen, turn: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._turn = turn
        self._clock = clock
        self._began = clock()
        self._writing = Writing()
        self._open: dict[str, Open] = {}
        self._steps: set[str] = set()
        self._unsaid: dict[str, str] = {}
        """Messages that models write or have written, and the step of each."""
        self._said: object = None
        self.done: list[str] = []
        """The steps, other than models', that came to a good end."""

    def hear(self, event: Event) -> None:
        if not self._is_ours(event):
            return
        self._writing.apply(event)
        match event:
            case StepEvent(step=str(step), state="scheduled"):
                self._begin(step, event)
            case StepEvent(step=str(step), attempt=None):
                self._end(step, event)
            case StepEvent(step=str(step)) | ResetEvent(step=str(step)) if event.attempt and event.attempt > 1:
                self._again(step, event.attempt)
            case TokenEvent(step=str(step)) if event.text:
                self._unsaid[event.message or step] = step
        self.refresh()

    def refresh(self) -> None:
        steps = [open_.step for open_ in self._open.values()]
        lines = [describe(step, mark=False) for step in steps if step.activity != CALL_MODEL or step.attempt > 1]
        text = next((text for text in map(self._text, reversed(self._unsaid)) if text), "")
        self._screen.alive(text, lines or ([] if text else [Text(THINKING, "dim")]))

    def flush(self) -> None:
        """What models have said to the end stays as it is."""
        for message, step in [*self._unsaid.items()]:
            if step not in self._open:
                del self._unsaid[message]
                if text := self._text(message):
                    self._say(text)

    def end(self, turn: Turn) -> None:
        """The answer, where it was not said yet, or what went wrong; then what it cost."""
        if isinstance(turn.output, str) and self._unsaid:
            self._unsaid.popitem()  # it is the answer, which a later node may have given another form
        self.flush()
        half = "\n\n".join(filter(None, map(self._text, self._unsaid)))
        match turn.status:
            case "done" if turn.output is not None:
                self._say(turn.output)
            case "failed":
                self._failed(turn)
            case "interrupted":
                if half:
                    self._say(f"{half} …")
                self._screen.line(Text(kept(self.done, half=bool(half)), "yellow"))
            case "rolled_back":
                self._screen.line(Text("The turn was undone, and is forgotten.", "yellow"))
        if turn.note:
            self._screen.line(Text(turn.note, "yellow"))
        for citation in turn.citations:
            self._screen.line(cited(citation))
        self._screen.line(Text(f"{cost(turn.usage)} · {duration(self._clock() - self._began)}", "dim"))

    def _is_ours(self, event: Event) -> bool:
        """Steps themselves tell no turn: theirs are those that it has scheduled."""
        return event.turn == self._turn if event.attempt is None else event.step in self._steps

    def _begin(self, identifier: str, event: StepEvent) -> None:
        self._steps.add(identifier)
        if event.activity != CALL_MODEL:
            self.flush()
        self._open[identifier] = Open(Step(identifier, event.activity, "scheduled", event.summary), self._clock())

    def _again(self, identifier: str, attempt: int) -> None:
        if open_ := self._open.get(identifier):
            self._open[identifier] = replace(open_, step=replace(open_.step, state="retrying", attempt=attempt))

    def _end(self, identifier: str, event: StepEvent) -> None:
        open_ = self._open.pop(identifier, None)
        if open_ is None or event.state == "started":
            return
        seconds = self._clock() - open_.since
        step = replace(open_.step, state=event.state, error=event.error, seconds=seconds)
        if step.activity != CALL_MODEL:
            self._screen.line(describe(step))
            if step.state == "completed":
                self.done.append(step.activity)
        elif step.state == "failed":
            self._screen.line(describe(step))

    def _failed(self, turn: Turn) -> None:
        if turn.error:
            failed = RunFailed("", turn.error.type, turn.error.message)
            self._screen.line(Text(f"The turn failed with {failed.type}: {failed.message}", "red"))
            self._screen.line(failed.remedy)

    def _text(self, message: str) -> str:
        return self._writing.messages.get(message, "").strip()

    def _say(self, output: object) -> None:
        """Nothing twice: what a model said before its last tool call may be all that the turn comes to."""
        said = output.strip() if isinstance(output, str) else output
        if said not in ("", self._said):
            self._screen.say(said)
        self._said = said


def kept(done: list[str], *, half: bool) -> str:
    """What is left of a turn that was interrupted."""
    did = f"What it did stays: {', '.join(done)}." if done else "It had done nothing yet."
    lost = " What it was writing is not part of the conversation." if half else ""
    return f"Interrupted. {did}{lost}"
