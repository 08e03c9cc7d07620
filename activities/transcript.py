"""The worker's side of the transcript: the messages that a model call is given, by digest.

A request carries `{parent digest, tail}` in place of the whole conversation. The digest is a chain,
H(i) = blake2b(H(i-1) || blake2b(message i)), so it does not depend on how a list was cut into parts. A worker that does
not have the parent asks the workflow, by a query, which writes no history.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from langchain_core.messages import BaseMessage
from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.queries import ask
from activities.sizes import MOST_BYTES
from activities.wire import Message, dump_message

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = ""
"""The digest of the empty transcript."""

HASH_BYTES = 16

PAGE_BYTES = 1024 * 1024
"""What one answer of a workflow holds. The server takes 2 MiB."""

TRANSCRIPT_QUERY = "transcript"
"""Asked of a workflow with a digest; answers with the end of what it stands for, as a `TranscriptPart`."""

_OBJECT_BYTES = 2_000
"""Of a message without its text."""

Transcript = tuple[BaseMessage, ...]


class TranscriptPart(BaseModel):
    """A list of messages: those that `parent` stands for, then `tail`."""

    model_config = ConfigDict(frozen=True)

    parent: str = ROOT
    tail: list[Message] = []


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def hash_of(message: BaseMessage) -> bytes:
    """A text too long for a payload without a storage goes by its own digest: written as JSON it takes far longer."""
    fields = dump_message(message)
    text = fields.get("content")
    if isinstance(text, str) and len(text) > MOST_BYTES:
        fields["content"] = {
            "digest": blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).hexdigest()
        }
    return blake2b(_canonical(fields).encode(), digest_size=HASH_BYTES).digest()


def link(parent: str, message_hash: bytes) -> str:
    return blake2b(parent.encode() + message_hash, digest_size=HASH_BYTES).hexdigest()


def digest_of(parent: str, messages: Sequence[BaseMessage]) -> str:
    for message in messages:
        parent = link(parent, hash_of(message))
    return parent


class _Cached(NamedTuple):
    messages: Transcript
    weight: int


class TranscriptCache:
    """Transcripts that this worker was given or asked for; the least recently used go first.

    Messages are shared between transcripts, so a cached turn costs its own messages and a tuple of references. At most
    `most` are kept, and `weight` bytes, counted as if they shared nothing.
    """

    def __init__(self, *, most: int = 512, weight: int = 512 * 1024 * 1024) -> None:
        self._most, self._most_weight = most, weight
        self._weight = 0
        self._transcripts: OrderedDict[str, _Cached] = OrderedDict()

    async def open(self, part: TranscriptPart) -> tuple[str, Transcript]:
        """The whole list of messages, and its digest. Call it inside an activity of the workflow that sent the part."""
        whole = (*await self._load(part.parent), *part.tail)
        return self.keep(part.parent, whole, tail=part.tail), whole

    def keep(self, parent: str, whole: Transcript, *, tail: Sequence[BaseMessage]) -> str:
        """Remember `whole`, which is the transcript `parent` and then `tail`. Returns its digest."""
        digest = digest_of(parent, tail)
        before = self._transcripts.get(parent)
        weight = before.weight + _weight(tail) if before else _weight(whole)
        self._forget(digest)
        self._transcripts[digest] = _Cached(whole, weight)
        self._weight += weight
        while len(self._transcripts) > self._most or (self._weight > self._most_weight and len(self._transcripts) > 1):
            self._forget(next(iter(self._transcripts)))
        return digest

    def _forget(self, digest: str) -> None:
        if (cached := self._transcripts.pop(digest, None)) is not None:
            self._weight -= cached.weight

    async def _load(self, digest: str) -> Transcript:
        """Asks the workflow for what is not here, page by page, back to what is."""
        lost: list[list[BaseMessage]] = []
        while digest != ROOT and digest not in self._transcripts:
            page = await _ask_workflow(digest)
            lost.append(page.tail)
            digest = page.parent
        known: Transcript = ()
        if digest != ROOT:
            self._transcripts.move_to_end(digest)
            known = self._transcripts[digest].messages
        return (*known, *chain.from_iterable(reversed(lost)))


def _weight(messages: Sequence[BaseMessage]) -> int:
    """About what they take in memory."""
    contents = (message.content for message in messages)
    return sum(_OBJECT_BYTES + len(content if isinstance(content, str) else str(content)) for content in contents)


async def _ask_workflow(digest: str) -> TranscriptPart:
    info = activity.info()
    handle = activity.client().get_workflow_handle(info.workflow_id or "", run_id=info.workflow_run_id)
    answer: TranscriptPart = await ask(handle, TRANSCRIPT_QUERY, TranscriptPart, digest)
    return answer
