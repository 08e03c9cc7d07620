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
        self._digests: dict[tuple[str, bytes], str] = {}

    def part(self, messages: Sequence[BaseMessage]) -> TranscriptPart:
        """`messages` as the longest known transcript and the rest. From here on, all of them are known."""
        return self.sent(messages)[0]

    def sent(self, messages: Sequence[BaseMessage]) -> tuple[TranscriptPart, str]:
        """As `part`, and the digest of all of `messages`."""
        parent, cut = ROOT, 0
        digest = ROOT
        for position, message in enumerate(messages, start=1):
            before, digest = digest, self._linked(digest, message)
            if digest in self._nodes:
                if cut == position - 1:
                    parent, cut = digest, position
            else:
                self._nodes[digest] = before, message
        return TranscriptPart(parent=parent, tail=list(messages[cut:])), digest

    def answered(self, digest: str, answer: BaseMessage) -> None:
        """The worker that gave `answer` to the messages of `digest` knows both."""
        self._nodes.setdefault(self._linked(digest, answer), (digest, answer))

    def find(self, digest: str) -> Messages:
        """The messages that `digest` stands for: the answer to the query of a worker that has lost them."""
        found: list[BaseMessage] = []
        while digest != ROOT:
            digest, message = self._nodes[digest]
            found.append(message)
        return Messages(messages=found[::-1])

    def _linked(self, digest: str, message: BaseMessage) -> str:
        step = digest, self._hash(message)
        known = self._digests.get(step)
        if known is None:
            known = self._digests[step] = link(*step)
        return known

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
    fields = vars(message)  # asking a message for a field that it lacks costs more than all the rest
    return fields["id"], fields["name"], *[id(fields.get(name)) for name in _EDITED]


_EDITED = ("content", "additional_kwargs", "response_metadata", "tool_calls")
