"""Run an agent with no server: a chat model that follows a script, and a retriever over a list of documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document  # noqa: TC002 -- pydantic reads the annotation
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.retrievers import BaseRetriever
from langgraph.store.memory import InMemoryStore

from agents.agent import LiveResources, final_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.callbacks import CallbackManagerForLLMRun, CallbackManagerForRetrieverRun
    from langchain_core.runnables import Runnable
    from langgraph.store.base import BaseStore

    from agents.agent import Agent


class ScriptedModel(BaseChatModel):
    """Gives the n-th answer of `script` to a conversation that has n answers already.

    So a repeated call is answered as the first was, and a script serves any number of runs at once.
    """

    script: list[AIMessage]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=[getattr(tool, "name", tool) for tool in tools], **options)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 -- the base's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 -- the base's signature
        **_options: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 -- the base's signature
        run_manager: CallbackManagerForLLMRun | None = None,
        **_options: Any,
    ) -> Iterator[ChatGenerationChunk]:
        """Word by word, then the tool calls."""
        answer = self._answer(messages)
        for word in filter(None, re.split(r"(?<=\s)", answer.text)):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word))
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_calls=answer.tool_calls))

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        given = sum(isinstance(message, AIMessage) for message in messages)
        if given >= len(self.script):
            raise AssertionError(f"The script has {len(self.script)} answers, and the model was asked for one more.")
        return self.script[given].model_copy()


class ListedDocuments(BaseRetriever):
    """Finds the documents that share most words with the query."""

    documents: list[Document]
    limit: int = 6

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 -- the base's signature
    ) -> list[Document]:
        words = set(query.lower().split())

        def shared(document: Document) -> int:
            return -len(words & set(document.page_content.lower().split()))

        return sorted(self.documents, key=shared)[: self.limit]


async def run_live(
    agent: Agent,
    given: Any,
    *,
    model: BaseChatModel,
    documents: Sequence[Document] = (),
    agents: Sequence[Agent] = (),
    store: BaseStore | None = None,
) -> Any:
    """The final state of the agent's graph in plain LangGraph. `given` is the graph's input, or a question.

    `agents` are those that it may call by `resources.agent`. Its store is `store`, or an `InMemoryStore` of its own.
    """
    resources = LiveResources(
        chat_model=lambda _name: model,
        tools=list(agent.tools),
        search=lambda _collection, limit: ListedDocuments(documents=list(documents), limit=limit),
        agents=agents,
        store=store or InMemoryStore(),
    )
    return await final_state(agent, resources, given)


def call(tool: str, call_id: str = "call-1", /, **arguments: Any) -> AIMessage:
    """A model's answer that calls one tool."""
    return AIMessage("", tool_calls=[{"name": tool, "args": arguments, "id": call_id, "type": "tool_call"}])
