"""One turn of a chat: shows it, asks what it asks, and takes Ctrl-C. Runs in the main thread."""

from __future__ import annotations

import signal
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.text import Text

from agents.errors import InvalidInput
from temporal.cli.asking import arguments_of, described, is_decision, judgement, prompt_of, read_word, value_of
from temporal.cli.errors import INTERRUPTED
from temporal.cli.keyboard import GivenUp
from temporal.cli.listening import Begun, Note, Queued
from temporal.cli.turn import TurnView
from temporal.inbox import answer_question, is_waiting
from workflows.contracts import Question

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence

    from temporal.cli.background import Background
    from temporal.cli.keyboard import Keyboard
    from temporal.cli.listening import Listener, Told
    from temporal.cli.screen import Screen
    from workflows.turns import Turn

    Moment: TypeAlias = "Told | CtrlC | Future[Turn]"

WHY = "Why? The model reads it: "
ARGUMENTS = "Its arguments: "


class Leave(Exception):
    """Whoever talks wants to go. `code` is the command's exit code."""

    def __init__(self, code: int = 0) -> None:
        super().__init__()
        self.code = code


@dataclass(frozen=True, slots=True)
class CtrlC:
    """It came while a turn was shown."""


@dataclass
class Dialogue:
    """`has_begun` once the thread has taken a turn, `has_failed` once a turn has failed."""

    background: Background
    listener: Listener
    keyboard: Keyboard
    screen: Screen
    by: Sequence[str]
    has_begun: bool = False
    has_failed: bool = False

    def hold(self, work: Coroutine[Any, Any, Turn], identifier: str) -> None:
        """Shows the turn from its beginning to its end, which `work` gives."""
        shown = Shown(self, identifier)
        self.listener.tell = shown.moments.put
        coming = self.background.start(work)
        coming.add_done_callback(shown.moments.put)
        try:
            with _catching(shown.moments), self.screen.opened():
                over = shown.until_over()
        finally:
            coming.cancel()
        if over:
            self.has_failed = self.has_failed or over.status == "failed"
            shown.view.end(over)


class Shown:
    """A turn that is shown at the moment."""

    def __init__(self, dialogue: Dialogue, identifier: str) -> None:
        self.moments: SimpleQueue[Moment] = SimpleQueue()
        self.view = TurnView(dialogue.screen, identifier)
        self._dialogue = dialogue
        self._screen = dialogue.screen
        self._keyboard = dialogue.keyboard
        self._background = dialogue.background
        self._listener = dialogue.listener
        self._identifier = identifier
        self._is_taken = self._is_stopping = False

    def until_over(self) -> Turn | None:
        """None where it is left to itself."""
        self.view.refresh()
        while True:
            match self.moments.get():
                case Future() as coming:
                    over: Turn = coming.result()
                    return over
                case Begun():
                    self._is_taken = self._dialogue.has_begun = True
                case Note(text):
                    self._screen.line(Text(text, "yellow"))
                case Question() as question:
                    self._ask(question)
                case CtrlC():
                    if not self._is_taken:
                        self._dialogue.has_begun = True
                        self._screen.line("The turn was not taken up. It still may be: `/turns` tells.")
                        return None
                    self._stop()
                case Queued():
                    self._screen.line("The turn waits for the one before it, and stays: `/turns` tells.")
                    return None
                case event:
                    self.view.hear(event)

    def _stop(self) -> None:
        if self._is_stopping:
            raise Leave(INTERRUPTED)
        self._is_stopping = True
        self._screen.line(Text("Stopping. Ctrl-C again leaves.", "dim"))
        self._background.start(self._listener.stop(self._identifier)).add_done_callback(self._tell_failure)

    def _tell_failure(self, stopping: Future[None]) -> None:
        if not stopping.cancelled() and (error := stopping.exception()):
            self.moments.put(Note(f"The turn could not be stopped: {error}"))

    # What it asks

    def _ask(self, question: Question) -> None:
        """Others may answer meanwhile; then the turn goes on."""
        if self._is_stopping or not self._is_waiting(question):
            return
        self.view.flush()
        answered = self._background.start(self._listener.answered(question))
        try:
            with self._screen.paused():
                asked, *remarks = described(question)
                self._screen.line(Text(asked, "bold yellow"))
                for line in remarks:
                    self._screen.line(Text(line, "dim"))
                self._answer(question, answered)
        except GivenUp:
            self._screen.line(Text("\nIt was answered elsewhere, or not in time.", "yellow"))
        except KeyboardInterrupt:
            self._screen.line("")
            self._stop()
        except EOFError:
            self._screen.line(Text("\nThe turn waits for the answer, as `perdure inbox` shows.", "yellow"))
            raise Leave(0 if self._keyboard.is_terminal else 1) from None
        finally:
            answered.cancel()

    def _answer(self, question: Question, answered: Future[None]) -> None:
        run, by = self._listener.thread.run, self._dialogue.by
        while True:
            text = self._keyboard.read(prompt_of(question), unless=answered)
            try:
                value = self._read(question, text.strip(), answered)
                self._background.call(answer_question(run, question, value, by=by))
            except InvalidInput as error:
                self._screen.line(Text(str(error), "yellow"))
                if not self._is_waiting(question):
                    return
            else:
                return

    def _read(self, question: Question, text: str, answered: Future[None]) -> Any:
        if not is_decision(question) or text.startswith("{"):
            return value_of(question, text)
        word, rest = read_word(text)
        if not rest and self._keyboard.is_terminal:
            match word:
                case "no":
                    rest = self._keyboard.read(WHY, unless=answered)
                case "edit" if question.kind == "approval":
                    rest = self._keyboard.read(ARGUMENTS, given=arguments_of(question), unless=answered)
        return judgement(question, word, rest.strip())

    def _is_waiting(self, question: Question) -> bool:
        return self._background.call(is_waiting(self._listener.thread.run, question))


@contextmanager
def _catching(moments: SimpleQueue[Moment]) -> Iterator[None]:
    """Ctrl-C is one of the things that happen, and breaks off none of the others."""
    before = signal.signal(signal.SIGINT, lambda *_: moments.put(CtrlC()))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
