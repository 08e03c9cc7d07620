"""The activity `compact`: messages are summarised by a model, and kept as they were. Runs in activities; its two
messages also in workflows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from langchain_core.messages import HumanMessage, get_buffer_string
from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.model import tokens
from activities.providers import EXTRACTIVE
from activities.transcript import TranscriptPart
from activities.wire import Message
from agents.compaction import PLACE, PROMPT
from agents.errors import FatalError, ServiceUnavailable, UnknownModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel

    from activities.transcript import TranscriptCache
    from agents.registry import Registry

COMPACT = "compact"

Claim = dict[str, str]
"""Where a page is kept: what the archive that keeps it gave out."""


class Page(BaseModel):
    """Messages of a conversation that its graph no longer has."""

    model_config = ConfigDict(frozen=True)

    messages: list[Message]


class Archive(Protocol):
    async def keep(self, thread: str, page: Page) -> Claim: ...


class CompactRequest(BaseModel):
    """The messages are those of `transcript` but for the first `skip`. `summary` is the id of the one among them that
    is an earlier summary, and no part of the original.
    """

    model_config = ConfigDict(frozen=True)

    agent: str
    model: str
    transcript: TranscriptPart
    skip: int = 0
    summary: str | None = None


class CompactResponse(BaseModel):
    model_config = ConfigDict(frozen=True)

    summary: str
    claim: Claim
    input_tokens: int = 0
    output_tokens: int = 0


class Compactions:
    """The activity, with what it needs: models by name, the agents' prompts, the transcripts, and the archive."""

    def __init__(
        self,
        *,
        chat_model: Callable[[str], BaseChatModel],
        registry: Registry,
        transcripts: TranscriptCache,
        archive: Archive | None,
    ) -> None:
        self._chat_model = chat_model
        self._registry = registry
        self._transcripts = transcripts
        self._archive = archive

    @activity.defn(name=COMPACT)
    async def compact(self, request: CompactRequest) -> CompactResponse:
        """The model is called first: a page that is kept is one that a summary stands for."""
        compaction = self._registry[request.agent].compaction
        if compaction is None or self._archive is None:
            raise FatalError(
                f"This worker has no compaction for agent {request.agent!r}: it has another version of it."
            )
        if request.model == EXTRACTIVE:
            raise UnknownModel(
                "No language model is configured, and the built-in one writes no summaries. Name one: PERDURE_MODEL, "
                "or Compaction(model=...)."
            )
        _, known = await self._transcripts.open(request.transcript)
        messages = list(known[request.skip :])
        told = (compaction.prompt or PROMPT).replace(PLACE, get_buffer_string(messages, format="xml"))
        answer = await self._chat_model(request.model).ainvoke([HumanMessage(told)])
        if not (summary := answer.text.strip()):
            raise ServiceUnavailable(f"Model {request.model!r} gave no summary.")
        original = [message for message in messages if message.id is None or message.id != request.summary]
        claim = await self._archive.keep(activity.info().workflow_id or "", Page(messages=original))
        input_tokens, output_tokens = tokens(answer)
        return CompactResponse(summary=summary, claim=claim, input_tokens=input_tokens, output_tokens=output_tokens)
