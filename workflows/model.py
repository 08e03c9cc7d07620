"""DurableModel: a chat model whose call is an activity. Runs in workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.chat_models import _ChatModelBinding
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import ensure_config
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.utils import LC_ID_PREFIX
from pydantic import PrivateAttr

from activities.answer import is_heard
from activities.model import CALL_MODEL, ChangedTool, ModelRequest, ModelResponse, tokens
from agents.options import step_options
from workflows.determinism import uuid7
from workflows.run import current_run
from workflows.steps import async_only, execute_step
from workflows.tool import DurableTool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
    from langchain_core.language_models.base import LangSmithParams
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.runnables import Runnable, RunnableConfig


class DurableModel(BaseChatModel):
    model: str
    _config: RunnableConfig = PrivateAttr(default_factory=ensure_config)
    """With which a copy is called: LangChain does not hand it to `_astream`."""

    def bind(self, **options: Any) -> _DurableBinding:
        return _DurableBinding(bound=self, kwargs=options, config={})

    @property
    def _llm_type(self) -> str:
        return "perdure"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model}

    def _get_ls_params(self, stop: list[str] | None = None, **options: Any) -> LangSmithParams:
        """Middleware asks here whose model it is: `openai`, of `openai:gpt-5` and of servers with OpenAI's protocol."""
        provider, _, model = self.model.partition(":")
        given = super()._get_ls_params(stop, **options)
        return {**given, "ls_provider": "openai" if model.startswith("//") else provider} if model else given

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **options: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """A tool of the agent travels by its name and what a middleware changed, any other by its specification."""
        if tool_choice is not None:
            options["tool_choice"] = tool_choice
        return self.bind(tools=[_specification(tool) for tool in tools], **options)

    _generate = async_only

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **options: Any,
    ) -> AIMessage:
        """LangChain's own way readies all messages for callbacks, at each call: with the conversation grows what it
        costs. It is taken where somebody listens.
        """
        config = ensure_config(config)
        if self.is_heard(config):
            return await BaseChatModel.ainvoke(self._configured(config), input, config, stop=stop, **options)
        messages = self._convert_input(input).to_messages()
        message = await self._called(messages, stop, _tags(self, config), config.get("metadata"), options)
        if message.id is None:
            message.id = f"{LC_ID_PREFIX}-{uuid7()}-0"
        return message

    def astream(
        self,
        input: LanguageModelInput,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **options: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        config = ensure_config(config)
        return BaseChatModel.astream(self._configured(config), input, config, stop=stop, **options)

    def _configured(self, config: RunnableConfig) -> DurableModel:
        model = self.model_copy()
        model._config = config  # noqa: SLF001 -- a copy of its own
        return model

    def is_heard(self, config: RunnableConfig) -> bool:
        """Whether callbacks, a cache of LangChain's or its debugging take part in a call."""
        callbacks = config.get("callbacks")
        handlers = callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks
        cached = self.cache or get_llm_cache() is not None
        return bool(handlers or self.output_version or cached or is_heard(self))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        tags, metadata = (run_manager.tags, run_manager.metadata) if run_manager else ([], {})
        message = await self._called(messages, stop, tags, metadata, options)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 -- LangChain's signature
        **options: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        """The whole answer is one piece: watchers hear the model's own from the activity."""
        tags, metadata = _tags(self, self._config), self._config.get("metadata")
        message = await self._called(messages, stop, tags, metadata, options)
        given = {name: value for name, value in message if name != "type"}
        yield ChatGenerationChunk(message=AIMessageChunk(**given, chunk_position="last"))

    async def _called(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        tags: Sequence[str],
        metadata: Mapping[str, Any] | None,
        options: Mapping[str, Any],
    ) -> AIMessage:
        run = current_run()
        part, model = run.transcript.part(messages), run.request.model or self.model
        request = ModelRequest(
            agent=run.agent.name,
            model=model,
            transcript=part,
            tools=list(options.get("tools", ())),
            options=_sent(options, stop),
            tags=sorted(set(tags)),  # LangChain takes them through sets: their order would differ on another worker
        )
        step = step_options(metadata, run.agent.model_step)
        response = await execute_step(CALL_MODEL, request, ModelResponse, options=step, summary=model)
        run.transcript.answered(part, response.message)
        input_tokens, output_tokens = tokens(response.message)
        run.used(model_calls=1, input_tokens=input_tokens, output_tokens=output_tokens)
        message: AIMessage = response.message
        return message


class _DurableBinding(_ChatModelBinding):  # type: ignore[no-redef] # of LangChain's own making
    """LangChain merges configs for each call, and makes four copies of them, where one has nothing in it."""

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **options: Any,
    ) -> AIMessage:
        if self.config or self.config_factories:
            return await super().ainvoke(input, config, **options)
        return await self.bound.ainvoke(input, config, **{**self.kwargs, **options})


def _tags(model: DurableModel, config: RunnableConfig) -> list[str]:
    callbacks = config.get("callbacks")
    inherited = callbacks.tags if isinstance(callbacks, BaseCallbackManager) else []
    return [*inherited, *(config.get("tags") or []), *(model.tags or [])]


def _specification(tool: Any) -> str | ChangedTool | dict[str, Any]:
    if isinstance(tool, DurableTool):
        said, original = (tool.description, tool.extras), (tool.stands_for.description, tool.stands_for.extras)
        changed = ChangedTool(tool=tool.name, description=tool.description, extras=tool.extras)
        return tool.name if said == original else changed
    return tool if isinstance(tool, dict) else convert_to_openai_tool(tool)


def _sent(options: Mapping[str, Any], stop: list[str] | None) -> dict[str, Any]:
    """LangChain adds `ls_…` options for its tracing, which is off here."""
    sent = {name: value for name, value in options.items() if not name.startswith("ls_") and name not in _APART}
    return sent | {"stop": stop} if stop else sent


_APART = frozenset({"tools", "structured_output_format"})
