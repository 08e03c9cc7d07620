"""The chat model for when no language model is configured: it searches, and quotes the best passages.

It writes nothing of its own. Deterministic, and without I/O: it runs wherever a chat model runs.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool

from agents.passage import read
from agents.quoting import quotes, unmentioned
from agents.relevance import words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

HONESTLY = "No language model is configured, so"
EMPTY_QUESTION = "The question is empty: ask something that the documents may answer."
NO_SEARCH_TOOL = f"{HONESTLY} an answer could only quote documents, and there is no tool to search them with."
SEARCH_FAILED = f"{HONESTLY} an answer could only quote the documents, and the search for them failed:"
NOTHING_FOUND = f"{HONESTLY} an answer could only quote the documents, and nothing in them matches this question."


class ExtractiveModel(BaseChatModel):
    """Calls the first bound tool that takes a `query`, then quotes the sentences that answer the question best."""

    @property
    def _llm_type(self) -> str:
        return "extractive"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        specifications = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=specifications, tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  the signature is LangChain's
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  ditto
        **kwargs: Any,
    ) -> ChatResult:
        message = _reply(messages, kwargs.get("tools") or [])
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  ditto
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, **kwargs)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  ditto
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(_reply(messages, kwargs.get("tools") or [])):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def _reply(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
    question, results = _turn(messages)
    if not question.strip():
        return AIMessage(EMPTY_QUESTION)
    if results:
        return AIMessage(_answer(question, results))
    if (tool := _search_tool(tools)) is None:
        return AIMessage(NO_SEARCH_TOOL)
    seed = f"{len(messages)} {question}".encode()
    call_id = f"call_{hashlib.sha256(seed).hexdigest()[:24]}"
    return AIMessage("", tool_calls=[{"name": tool, "args": {"query": _query(question)}, "id": call_id}])


def _turn(messages: Sequence[BaseMessage]) -> tuple[str, list[ToolMessage]]:
    """The last question, and what tools have said since."""
    results: list[ToolMessage] = []
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            return message.text, results[::-1]
        if isinstance(message, ToolMessage):
            results.append(message)
    return "", []


def _search_tool(tools: Sequence[dict[str, Any]]) -> str | None:
    functions = [tool.get("function", {}) for tool in tools]
    found = (tool for tool in functions if "query" in tool.get("parameters", {}).get("properties", {}))
    return next((str(tool["name"]) for tool in found), None)


def _query(question: str) -> str:
    """The salient words of a question, each once."""
    return " ".join(dict.fromkeys(words(question))) or question.strip()


def _answer(question: str, results: Sequence[ToolMessage]) -> str:
    if failed := [result.text for result in results if result.status == "error"]:
        return f"{SEARCH_FAILED} {failed[-1]}"
    passages = [passage for result in results for passage in read(result.text)]
    found = quotes(question, passages)
    if not found:
        return NOTHING_FOUND
    missing = ", ".join(f"“{word}”" for word in unmentioned(question, passages))
    caution = f" They do not mention {missing}." if missing else ""
    listed = "\n\n".join(f"{quote.text} [{quote.marker}]\n\n{quote.code}".strip() for quote in found)
    return f"{HONESTLY} here are the passages that match best, quoted.{caution}\n\n{listed}"


def _chunks(message: AIMessage) -> Iterator[ChatGenerationChunk]:
    """Words with the space behind them, then the tool calls, then the end."""
    for piece in re.findall(r"\s*\S+\s*", message.text):
        yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
    calls = [
        {"name": call["name"], "args": json.dumps(call["args"]), "id": call["id"], "index": index}
        for index, call in enumerate(message.tool_calls)
    ]
    yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=calls, chunk_position="last"))
