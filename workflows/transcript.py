"""The workflow's side of the transcript: which messages a worker can know, by digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activities.transcript import ROOT, Messages, TranscriptPart, hash_of, link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage


class TranscriptIndex:
    """Every message that a step was given, each linked to the one before it.

    A request is cut at the first message that no step has seen, wherever that is: a middleware that rewrites the
    conversation needs no help.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[str, BaseMessage]] = {}
        self._hashes: dict[int, tuple[BaseMessage, tuple[Any, ...], bytes]] = {}

    def part(self, messages: Sequence[BaseMessage]) -> TranscriptPart:
        """`messages` as the longest known transcript and the rest. From here on, all of them are known."""
        parent, cut = ROOT, 0
        digest = ROOT
        for position, message in enumerate(messages, start=1):
            before, digest = digest, link(digest, self._hash(message))
            if digest in self._nodes and cut == position - 1:
                parent, cut = digest, position
            self._nodes.setdefault(digest, (before, message))
        return TranscriptPart(parent=parent, tail=list(messages[cut:]))

    def answered(self, messages: Sequence[BaseMessage], answer: BaseMessage) -> None:
        """The worker that gave `answer` to `messages` knows both."""
        self.part([*messages, answer])

    def find(self, digest: str) -> Messages:
        """The messages that `digest` stands for: the answer to the query of a worker that has lost them."""
        found: list[BaseMessage] = []
        while digest != ROOT:
            digest, message = self._nodes[digest]
            found.append(message)
        return Messages(messages=found[::-1])

    def _hash(self, message: BaseMessage) -> bytes:
        """Hashing costs more than looking: unchanged messages keep their hash."""
        state = _fingerprint(message)
        known = self._hashes.get(id(message))
        if known is not None and known[0] is message and known[1] == state:
            return known[2]
        fresh = hash_of(message)
        self._hashes[id(message)] = (message, state, fresh)
        return fresh


def _fingerprint(message: BaseMessage) -> tuple[Any, ...]:
    """Changes when a field of the message is set to another object, as every library does that edits one."""
    return (
        message.id,
        message.name,
        id(message.content),
        id(message.additional_kwargs),
        id(message.response_metadata),
        id(getattr(message, "tool_calls", None)),
    )
