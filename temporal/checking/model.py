"""ExploringModel: a chat model that calls each tool it is offered once, then gives a text. Runs in activities."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool

from agents.errors import FatalError
from temporal.checking.examples import from_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.runnables import Runnable

ANSWER = "This is a made-up answer."


class ScriptEnded(FatalError):
    pass


class ExploringModel(BaseChatModel):
    """Gives the n-th answer of `script` to a conversation that has n answers already. Without a script it explores."""

    script: list[AIMessage] | None = None

    @property
    def _llm_type(self) -> str:
        return "exploring"

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> Runnable[LanguageModelInput, AIMessage]:
        last = [tool for tool in tools if getattr(tool, "return_direct", False)]
        order = [*(tool for tool in tools if tool not in last), *last]
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in order], **options)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 -- the base's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 -- the base's signature
        **options: Any,
    ) -> ChatResult:
        given = [message for message in messages if isinstance(message, AIMessage)]
        answer = _explored(given, options) if self.script is None else _scripted(self.script, len(given))
        return ChatResult(generations=[ChatGeneration(message=answer)])


def _scripted(script: list[AIMessage], position: int) -> AIMessage:
    if position >= len(script):
        raise ScriptEnded(f"The script has {len(script)} answers, and the model was asked for one more. Add it.")
    return script[position].model_copy()


def _explored(given: list[AIMessage], options: dict[str, Any]) -> AIMessage:
    """One tool at a time, in their order: what comes after the last may end the run."""
    called = {call["name"] for message in given for call in message.tool_calls}
    tools = [tool["function"] for tool in options.get("tools", []) if "function" in tool]
    left = [tool for tool in tools if tool["name"] not in called]
    if not left and tools and options.get("tool_choice") not in (None, "auto", "none"):
        left = tools[-1:]
    if left:
        arguments = from_schema(left[0].get("parameters") or {"type": "object"})
        call = {"name": left[0]["name"], "args": arguments, "id": f"call-{len(given) + 1}", "type": "tool_call"}
        return AIMessage("", tool_calls=[call])
    return AIMessage(_text(options.get("response_format")))


def _text(response_format: Any) -> str:
    """A text, or JSON where the provider is to give some."""
    schema = response_format.get("json_schema", {}).get("schema") if isinstance(response_format, dict) else None
    return json.dumps(from_schema(schema)) if schema else ANSWER
