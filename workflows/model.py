"""DurableModel: a chat model whose call is an activity. Runs in workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool

from activities.model import CALL_MODEL, ChangedTool, ModelRequest, ModelResponse, tokens
from agents.options import step_options
from workflows.run import current_run
from workflows.steps import async_only, execute_step
from workflows.tool import DurableTool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
    from langchain_core.language_models.base import LangSmithParams
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.runnables import Runnable


class DurableModel(BaseChatModel):
    model: str

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

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        tools: Sequence[str | ChangedTool | dict[str, Any]] = (),
        **bound: Any,
    ) -> ChatResult:
        run = current_run()
        part, model = run.transcript.part(messages), run.request.model or self.model
        request = ModelRequest(
            agent=run.agent.name,
            model=model,
            transcript=part,
            tools=list(tools),
            options=_sent(bound, stop),
            tags=list(run_manager.tags) if run_manager else [],
        )
        options = step_options(run_manager.metadata if run_manager else None, run.agent.model_step)
        response = await execute_step(CALL_MODEL, request, ModelResponse, options=options, summary=model)
        run.transcript.answered(part, response.message)
        input_tokens, output_tokens = tokens(response.message)
        run.used(model_calls=1, input_tokens=input_tokens, output_tokens=output_tokens)
        return ChatResult(generations=[ChatGeneration(message=response.message)])


def _specification(tool: Any) -> str | ChangedTool | dict[str, Any]:
    if isinstance(tool, DurableTool):
        said, original = (tool.description, tool.extras), (tool.stands_for.description, tool.stands_for.extras)
        changed = ChangedTool(tool=tool.name, description=tool.description, extras=tool.extras)
        return tool.name if said == original else changed
    return tool if isinstance(tool, dict) else convert_to_openai_tool(tool)


def _sent(options: dict[str, Any], stop: list[str] | None) -> dict[str, Any]:
    """LangChain adds `ls_…` options for its tracing, which is off here."""
    sent = {name: value for name, value in options.items() if not name.startswith("ls_")}
    return sent | {"stop": stop} if stop else sent
