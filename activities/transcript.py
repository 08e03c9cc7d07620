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
from typing import TYPE_CHECKING

from langchain_core.messages import BaseMessage
from pydantic import BaseModel, ConfigDict
from temporalio import activity

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

Transcript = tuple[BaseMessage, ...]


class TranscriptPart(BaseModel):
    """A list of messages: those that `parent` stands for, then `tail`."""

    model_config = ConfigDict(frozen=True)

    parent: str = ROOT
    tail: list[Message] = []


def hash_of(message: BaseMessage) -> bytes:
    """A text too long for a payload without a storage goes by its own digest: written as JSON it takes far longer."""
    fields = dump_message(message)
    text = fields.get("content")
    if isinstance(text, str) and len(text) > MOST_BYTES:
        fields["content"] = {
            "digest": blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).hexdigest()
        }
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return blake2b(canonical.encode(), digest_size=HASH_BYTES).digest()


def link(parent: str, message_hash: bytes) -> str:
    return blake2b(parent.encode() + message_hash, digest_size=HASH_BYTES).hexdigest()


def digest_of(parent: str, messages: Sequence[BaseMessage]) -> str:
    for message in messages:
        parent = link(parent, hash_of(message))
    return parent


class TranscriptCache:
    """Transcripts that this worker was given or asked for; the least recently used go first.

    Messages are shared between transcripts, so a cached turn costs its own messages and a tuple of references.
    """

    def __init__(self, *, capacity: int = 512) -> None:
        self._capacity = capacity
        self._transcripts: OrderedDict[str, Transcript] = OrderedDict()

    async def open(self, part: TranscriptPart) -> tuple[str, Transcript]:
        """The whole list of messages, and its digest. Call it inside an activity of the workflow that sent the part."""
        whole = (*await self._load(part.parent), *part.tail)
        return self.keep(part.parent, whole, tail=part.tail), whole

    def keep(self, parent: str, whole: Transcript, *, tail: Sequence[BaseMessage]) -> str:
        """Remember `whole`, which is the transcript `parent` and then `tail`. Returns its digest."""
        digest = digest_of(parent, tail)
        self._transcripts[digest] = whole
        self._transcripts.move_to_end(digest)
        while len(self._transcripts) > self._capacity:
            self._transcripts.popitem(last=False)
        return digest

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
            known = self._transcripts[digest]
        return (*known, *chain.from_iterable(reversed(lost)))


async def _ask_workflow(digest: str) -> TranscriptPart:
    info = activity.info()
    handle = activity.client().get_workflow_handle(info.workflow_id or "", run_id=info.workflow_run_id)
    answer: TranscriptPart = await handle.query(TRANSCRIPT_QUERY, digest, result_type=TranscriptPart)
    return answer
