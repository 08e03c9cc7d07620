"""call_model: one call of a chat model, streamed, as an activity."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, BaseMessageChunk, message_chunk_to_message
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from temporalio import activity

from activities.answer import pieces_of
from activities.telling import TELLER
from activities.transcript import Transcript, TranscriptCache, TranscriptPart
from activities.wire import Message
from agents.errors import MalformedToolCall, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel
    from langchain_core.language_models.base import LanguageModelInput
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

    from agents.agent import Agent
    from agents.registry import Registry

CALL_MODEL = "call_model"

MOST_BINDINGS = 256


class ChangedTool(BaseModel):
    """One of the agent's own tools, as a middleware has changed what the model is told of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    description: str
    extras: dict[str, Any] | None


class ModelRequest(BaseModel):
    """`tools` holds names of the agent's own tools, and whole specifications of others (a response format, say)."""

    model_config = ConfigDict(frozen=True)

    agent: str
    model: str
    transcript: TranscriptPart
    tools: list[str | ChangedTool | dict[str, Any]] = []
    options: dict[str, Any] = {}
    tags: list[str] = []


class ModelResponse(BaseModel):
    model_config = ConfigDict(frozen=True)

    message: Message


class ModelCalls:
    """The activity, with what it needs: models by name, the agents' tools, the transcripts."""

    def __init__(
        self,
        *,
        chat_model: Callable[[str], BaseChatModel],
        registry: Registry,
        transcripts: TranscriptCache,
    ) -> None:
        self._chat_model = chat_model
        self._registry = registry
        self._transcripts = transcripts
        self._bindings: OrderedDict[bytes, Runnable[LanguageModelInput, BaseMessage]] = OrderedDict()
        """What was bound last. Vendors' clients make a specification of each tool whenever they are bound."""

    @activity.defn(name=CALL_MODEL)
    async def call_model(self, request: ModelRequest) -> ModelResponse:
        digest, messages = await self._transcripts.open(request.transcript)
        message = await self._answer(request, messages)
        _refuse_malformed(message)
        self._transcripts.keep(digest, (*messages, message), tail=[message])
        return ModelResponse(message=message)

    async def _answer(self, request: ModelRequest, messages: Transcript) -> BaseMessage:
        teller = TELLER.get()
        chunks: list[BaseMessageChunk] = []
        async for chunk in pieces_of(self._bound(request), messages, request.tags):
            if teller is not None:
                teller.token(chunk)
            if not isinstance(chunk, BaseMessageChunk):
                return chunk
            chunks.append(chunk)
        if not chunks:
            raise ServiceUnavailable(f"Model {request.model!r} answered nothing at all.")
        # all at once: one by one takes time that grows with the square of the answer
        return message_chunk_to_message(chunks[0] + chunks[1:])

    def _bound(self, request: ModelRequest) -> Runnable[LanguageModelInput, BaseMessage]:
        model = self._chat_model(request.model)
        if not request.tools and not request.options:
            return model
        key = to_json((request.agent, request.model, request.tools, request.options))
        if key not in self._bindings:
            self._bindings[key] = self._bind(model, request)
        self._bindings.move_to_end(key)
        if len(self._bindings) > MOST_BINDINGS:
            self._bindings.popitem(last=False)
        return self._bindings[key]

    def _bind(self, model: BaseChatModel, request: ModelRequest) -> Runnable[LanguageModelInput, BaseMessage]:
        if request.tools:
            tools = [_tool(self._registry[request.agent], tool) for tool in request.tools]
            return model.bind_tools(tools, **request.options)
        return model.bind(**request.options)


def _refuse_malformed(message: BaseMessage) -> None:
    """Left alone, the call would be dropped, and an agent that waits for nothing else end with an empty answer."""
    if isinstance(message, AIMessage) and message.invalid_tool_calls:
        call = message.invalid_tool_calls[0]
        raise MalformedToolCall(
            f"The model called {call['name'] or 'a tool'!r} with arguments that are no JSON: "
            f"{(call['args'] or '')[:200]!r}. If it keeps doing so, simplify the tool's arguments or use another model."
        )


def _tool(agent: Agent, tool: str | ChangedTool | dict[str, Any]) -> BaseTool | dict[str, Any]:
    match tool:
        case str():
            return agent.tool(tool)
        case ChangedTool():
            return agent.tool(tool.tool).model_copy(update={"description": tool.description, "extras": tool.extras})
        case _:
            return tool


def tokens(message: BaseMessage) -> tuple[int, int]:
    """Input and output tokens as the provider counted them, zero where it did not."""
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    return (usage["input_tokens"], usage["output_tokens"]) if usage else (0, 0)
