"""Puts together what a run's models write, from its events. Runs in clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activities.events import ResetEvent, ResultEvent, SnapshotEvent, StepEvent, TokenEvent, UpdateEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from activities.events import Event

MOST_MESSAGES = 1_000


class Writing:
    """The text of each message so far, by its id, in the order in which they began.

    What a step has written is taken back when the step begins anew or fails. The message itself, once a node has
    returned it, has the last word.
    """

    def __init__(self) -> None:
        self.messages: dict[str, str] = {}
        self._steps: dict[str, list[str]] = {}
        self._settled: set[str] = set()

    @property
    def text(self) -> str:
        """The newest message's."""
        return next(reversed(self.messages.values()), "")

    def apply(self, event: Event) -> bool:
        """Whether `event` has changed what is written."""
        match event:
            case TokenEvent(step=str(step)):
                return self._write(event.message or step, step, event.text)
            case ResetEvent(step=str(step)) | StepEvent(step=str(step), state="failed"):
                return self._take_back(step)
            case UpdateEvent() | SnapshotEvent():
                changed = [self._settle(identifier, text) for identifier, text in _answers(event.value)]
                return any(changed)
            case ResultEvent():
                self._steps.clear()
        return False

    def _write(self, message: str, step: str, text: str) -> bool:
        if message in self._settled or not text:
            return False
        self.messages[message] = self.messages.get(message, "") + text
        if message not in self._steps.setdefault(step, []):
            self._steps[step].append(message)
        self._forget()
        return True

    def _take_back(self, step: str) -> bool:
        messages = [message for message in self._steps.pop(step, []) if message not in self._settled]
        for message in messages:
            self.messages.pop(message, None)
        return bool(messages)

    def _settle(self, message: str, text: str) -> bool:
        changed = self.messages.get(message) != text
        self.messages[message] = text
        self._settled.add(message)
        self._forget()
        return changed

    def _forget(self) -> None:
        if len(self.messages) > MOST_MESSAGES:
            oldest = next(iter(self.messages))
            del self.messages[oldest]
            self._settled.discard(oldest)


def _answers(value: Any) -> Iterator[tuple[str, str]]:
    """The models' messages, at any depth of what a node has returned, that have an id."""
    match value:
        case {"type": "ai" | "AIMessageChunk", "id": str(identifier), "content": content}:
            yield identifier, _text(content)
        case dict():
            for each in value.values():
                yield from _answers(each)
        case list():
            for each in value:
                yield from _answers(each)


def _text(content: Any) -> str:
    """As LangChain reads it: the text blocks of a content, one after the other."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(block if isinstance(block, str) else str(block.get("text", "")) for block in blocks)
