"""The workflow's side of the transcript: which messages a worker can know, by digest."""

from __future__ import annotations

from collections import OrderedDict
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from activities.transcript import HASH_BYTES, PAGE_BYTES, ROOT, TranscriptPart, hash_of, link
from activities.wire import Message, dump_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.messages import BaseMessage

MOST_CARRIED = 16
"""Transcripts that are handed to the next execution, the newest first."""

MOST_LAST = 4
"""Transcripts that go on side by side, as with rules before them and without, and are not looked through each time."""

MOST_OTHERS = 8
"""Messages of such a transcript that may be in no state. One that has more was of something that is over."""


class Range(NamedTuple):
    """Messages `start` to `stop` of one list."""

    place: int
    start: int
    stop: int


class CarriedTranscripts(BaseModel):
    """What workers know, as the next execution takes it over: lists of the state, then `others`, and ranges of them."""

    model_config = ConfigDict(frozen=True)

    hashes: list[str] = []
    """Of the messages of each list of the state, one after the other, in hex: hashing takes longer than all else."""
    others: list[Message] = []
    transcripts: list[list[Range]] = []


class _Node(NamedTuple):
    before: str
    message: BaseMessage
    hash: bytes


class _Hashed(NamedTuple):
    message: BaseMessage
    fields: list[Any]
    hash: bytes

    def is_still(self, message: BaseMessage) -> bool:
        """Whether it is this message, and no field was set to another object, as every library does that edits one."""
        fields = message.__dict__.values()
        return message is self.message and len(fields) == len(self.fields) and all(map(is_, fields, self.fields))


_Last = list[tuple[_Hashed, str]]
"""The messages of a transcript, and the digest at each."""


class TranscriptIndex:
    """Every message that a step was given, each linked to the one before it.

    A request is cut at the first message that no step has seen, wherever that is: a middleware that rewrites the
    conversation needs no help.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._hashed: dict[int, _Hashed] = {}
        self._last: OrderedDict[int, _Last] = OrderedDict()
        """The transcripts that were looked at last, by their first messages. Most go on from there."""
        self._ends: OrderedDict[str, None] = OrderedDict()
        """The digests of whole transcripts, the newest last. One that goes on takes the place of what it was."""

    def part(self, messages: Sequence[BaseMessage]) -> TranscriptPart:
        """`messages` as the longest known transcript and the rest. From here on, all of them are known."""
        last = self._last_of(messages)
        cut = same = _same(last, messages)
        del last[same:]
        parent = digest = last[-1][1] if same else ROOT
        for position, message in enumerate(messages[same:], start=same + 1):
            hashed = self._hash(message)
            before, digest = digest, link(digest, hashed.hash)
            last.append((hashed, digest))
            if digest in self._nodes and cut == position - 1:
                parent, cut = digest, position
            self._nodes.setdefault(digest, _Node(before, message, hashed.hash))
        self._end(parent, digest)
        return TranscriptPart(parent=parent, tail=list(messages[cut:]))

    def within(self, messages: Sequence[BaseMessage]) -> tuple[TranscriptPart, int]:
        """`messages` by a transcript that ends with them, and how many others come before them there: what a graph says
        to the model first is in no state. Where none is known, it is a whole list of messages.
        """
        wanted = [self._hash(message).hash for message in messages]
        for end in [*self._ends][: -MOST_LAST - 1 : -1]:
            digests, hashes = self._chain(end)
            for start in range(len(hashes) - len(wanted) + 1):
                if hashes[start : start + len(wanted)] == wanted:
                    return TranscriptPart(parent=digests[start + len(wanted) - 1]), start
        return TranscriptPart(tail=list(messages)), 0

    def answered(self, part: TranscriptPart, answer: BaseMessage) -> None:
        """The worker that gave `answer` to `part` knows both."""
        before = part.parent
        for message in part.tail:
            before = link(before, self._hash(message).hash)
        hashed = self._hash(answer)
        digest = link(before, hashed.hash)
        self._nodes.setdefault(digest, _Node(before, answer, hashed.hash))
        self._end(before, digest)

    def page(self, digest: str, *, most: int = PAGE_BYTES) -> TranscriptPart:
        """The end of what `digest` stands for: the answer to the query of a worker that has lost it.

        It holds `most` bytes of messages, and one at least. Its parent is what comes before.
        """
        found: list[BaseMessage] = []
        for node in self._back_from(digest):
            most -= len(to_json(dump_message(node.message)))
            if found and most < 0:
                break
            found.append(node.message)
            digest = node.before
        return TranscriptPart(parent=digest, tail=found[::-1])

    def carried(self, state: Sequence[Sequence[BaseMessage]]) -> CarriedTranscripts:
        """For the next execution, which has `state`, the lists of messages."""
        lists = [[self._hash(message).hash for message in messages] for messages in state]
        others: dict[bytes, BaseMessage] = {}
        places = {each: (place, at) for place, hashes in enumerate(lists) for at, each in enumerate(hashes)}
        transcripts = []
        for end in [*self._ends][-MOST_CARRIED:]:
            nodes = [*self._back_from(end)][::-1]
            foreign = {node.hash: node.message for node in nodes if node.hash not in places}
            if len(foreign) > MOST_OTHERS:
                continue
            others.update(foreign)
            known = [*lists, [*others]]
            at = places | {each: (len(lists), position) for position, each in enumerate(others)}
            transcripts.append(_ranges([node.hash for node in nodes], known, at))
        return CarriedTranscripts(
            hashes=[b"".join(hashes).hex() for hashes in lists], others=[*others.values()], transcripts=transcripts
        )

    def restore(self, state: Sequence[Sequence[BaseMessage]], carried: CarriedTranscripts) -> None:
        """Takes over what `carried` says of the same `state`."""
        lists = [
            [self._keep(message, hashed) for message, hashed in zip(messages, _split(hashes), strict=True)]
            for messages, hashes in zip(state, carried.hashes, strict=True)
        ]
        lists.append([self._hash(message) for message in carried.others])
        for ranges in carried.transcripts:
            digest = ROOT
            for place, start, stop in ranges:
                for hashed in lists[place][start:stop]:
                    before, digest = digest, link(digest, hashed.hash)
                    self._nodes.setdefault(digest, _Node(before, hashed.message, hashed.hash))
            self._end(ROOT, digest)

    def _last_of(self, messages: Sequence[BaseMessage]) -> _Last:
        first = id(messages[0]) if messages else 0
        last = self._last.setdefault(first, [])
        self._last.move_to_end(first)
        if len(self._last) > MOST_LAST:
            self._last.popitem(last=False)
        return last

    def _end(self, before: str, digest: str) -> None:
        if digest != ROOT:
            self._ends.pop(before, None)
            self._ends[digest] = None
            self._ends.move_to_end(digest)

    def _chain(self, digest: str) -> tuple[list[str], list[bytes]]:
        """The digests at each message of a transcript, and the hashes of the messages."""
        digests, hashes = list[str](), list[bytes]()
        for node in self._back_from(digest):
            digests.append(digest)
            hashes.append(node.hash)
            digest = node.before
        return digests[::-1], hashes[::-1]

    def _back_from(self, digest: str) -> Iterator[_Node]:
        while digest != ROOT:
            node = self._nodes[digest]
            yield node
            digest = node.before

    def _hash(self, message: BaseMessage) -> _Hashed:
        """Hashing costs more than looking: unchanged messages keep their hash."""
        known = self._hashed.get(id(message))
        return known if known and known.is_still(message) else self._keep(message, hash_of(message))

    def _keep(self, message: BaseMessage, hashed: bytes) -> _Hashed:
        kept = self._hashed[id(message)] = _Hashed(message, [*message.__dict__.values()], hashed)
        return kept


def _same(last: _Last, messages: Sequence[BaseMessage]) -> int:
    """How many messages both begin with."""
    same = 0
    for (hashed, _), message in zip(last, messages, strict=False):
        if not hashed.is_still(message):
            break
        same += 1
    return same


def _split(hashes: str) -> list[bytes]:
    joined = bytes.fromhex(hashes)
    return [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]


def _ranges(
    hashes: Sequence[bytes], lists: Sequence[Sequence[bytes]], places: dict[bytes, tuple[int, int]]
) -> list[Range]:
    """`hashes` as ranges of `lists`, as few as they are found."""
    found: list[Range] = []
    for each in hashes:
        if found and (last := found[-1]).stop < len(lists[last.place]) and lists[last.place][last.stop] == each:
            found[-1] = last._replace(stop=last.stop + 1)
        else:
            place, at = places[each]
            found.append(Range(place, at, at + 1))
    return found
