"""DurableTool: a tool whose body is an activity. Runs in workflows."""

from __future__ import annotations

import functools
import inspect
import json
from contextvars import ContextVar
from copy import copy
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.tools.base import FILTERED_ARGS, get_all_basemodel_annotations
from langgraph.config import get_config
from langgraph.prebuilt import ToolRuntime
from langgraph.runtime import get_runtime
from langgraph.store.base import BaseStore
from langgraph.types import Command
from pydantic import BaseModel, Field
from temporalio import workflow

from activities.tool import MovedMessages, RuntimeData, ToolRequest, chosen_by_model, config_parameters, types_of
from activities.wire import TAG, encode
from agents.options import step_options, tool_options
from workflows.calls import Place, arguments_digest
from workflows.effects import ToolCall
from workflows.journal import superstep_here
from workflows.run import Run, current_run
from workflows.steps import shorten
from workflows.window import WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_core.runnables import RunnableConfig

    from activities.wire import Types
    from agents.agent import Agent
    from agents.approval import Approval

Function = TypeVar("Function", bound="Callable[..., Any]")

_CALL_ID: ContextVar[str | None] = ContextVar("perdure_call_id", default=None)


def _looked_through(function: Function) -> Function:
    """LangChain looks at a body's signature and at its types to see what to hand to it, at each call: here it finds
    the signature made, and no types.
    """
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    function.__annotations__ = {}
    return function


class DurableTool(StructuredTool):
    """The same name, schema and policies as the tool it stands for; its body is an activity."""

    stands_for: BaseTool = Field(exclude=True, repr=False)

    async def ainvoke(self, *args: Any, **options: Any) -> Any:
        """Hundreds may begin in one task of the workflow, thousands may not."""
        async with WINDOW.get().calls:
            return await super().ainvoke(*args, **options)

    async def arun(self, *args: Any, tool_call_id: str | None = None, **options: Any) -> Any:
        """The body is not told which call of the model it answers, and the step must know."""
        _CALL_ID.set(tool_call_id)
        return await super().arun(*args, tool_call_id=tool_call_id, **options)

    @_looked_through
    async def _arun(self, *args: Any, **arguments: Any) -> Any:
        """Asks for no config and no callbacks."""
        assert self.coroutine is not None  # noqa: S101 -- `durable_tool` gives one
        return await self.coroutine(*args, **arguments)

    def _filter_injected_args(self, tool_input: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in tool_input.items() if name not in self._hidden}

    @functools.cached_property
    def _hidden(self) -> frozenset[str]:
        """The arguments that callbacks do not see. LangChain finds them out anew at each call."""
        schema = self.args_schema if isinstance(self.args_schema, type) else None
        names = [*FILTERED_ARGS, *self._injected_args_keys, *(get_all_basemodel_annotations(schema) if schema else ())]
        return frozenset(names) - super()._filter_injected_args(dict.fromkeys(names)).keys()


def durable_tool(tool: BaseTool, agent: Agent) -> DurableTool:
    types, told, approval = types_of(agent), chosen_by_model(tool), tool_options(tool).approval(agent.approve)
    body = getattr(tool, "coroutine", None) or getattr(tool, "func", None)
    left_out = {"config", "run_manager", *(config_parameters(body) if body else ())}

    async def call(**arguments: Any) -> Any:
        sent = {name: value for name, value in arguments.items() if name not in left_out}
        return await _call_tool(tool, told, sent, types, approval)

    if body is not None:
        # LangGraph reads the signature to see what to inject
        functools.update_wrapper(call, body)
        call.__signature__ = inspect.signature(body)  # type: ignore[attr-defined]
    return DurableTool(
        name=tool.name,
        description=tool.description,
        args_schema=tool.args_schema,
        coroutine=call,
        return_direct=tool.return_direct,
        response_format=tool.response_format,
        handle_tool_error=tool.handle_tool_error,
        handle_validation_error=tool.handle_validation_error,
        tags=tool.tags,
        metadata=tool.metadata,
        extras=tool.extras,
        stands_for=tool,
    )


async def _call_tool(
    tool: BaseTool, told: frozenset[str] | None, arguments: dict[str, Any], types: Types, approval: Approval
) -> Any:
    run, config, options = current_run(), get_config(), tool_options(tool)
    metadata = config.get("metadata") or {}
    request = _tool_request(run, tool.name, arguments, config)
    shown = {name: value for name, value in request.arguments.items() if told is None or name in told}
    digest = arguments_digest(tool.name, shown)
    summary = _summary(request)
    call = run.calls.take(
        place_of(run, config), tool.name, digest, repeatable=options.repeatable, shown=shorten(summary)
    )
    return await ToolCall(
        run=run,
        call=call,
        request=request.model_copy(update={"key": call.key}),
        options=options,
        step=step_options(metadata, options.step or run.agent.tool_step),
        types=types,
        shown=shown,
        summary=summary,
        approval=approval,
        node=metadata.get("langgraph_node"),
        has_artifact=tool.response_format == "content_and_artifact",
    ).carry_out()


def place_of(run: Run, config: RunnableConfig) -> Place:
    metadata, execution, info = config.get("metadata") or {}, get_runtime().execution_info, workflow.info()
    return Place(
        run=(info.workflow_id, info.first_execution_run_id),
        namespace=metadata.get("langgraph_checkpoint_ns", ""),
        step=metadata.get("langgraph_step", 0),
        attempt=(run.calls.invocations, execution.node_attempt if execution else 1),
        checkpoint=superstep_here(),
    )


def _tool_request(run: Run, name: str, arguments: dict[str, Any], config: RunnableConfig) -> ToolRequest:
    runtimes = {key: value for key, value in arguments.items() if isinstance(value, ToolRuntime)}
    stores = [key for key, value in arguments.items() if isinstance(value, BaseStore)]
    values = {key: value for key, value in arguments.items() if key not in stores}
    values |= {key: runtime.state for key, runtime in runtimes.items()}
    moved = list(take_messages(values, run))
    encoded = {key: encode(value, path=f"{name}.{key}") for key, value in values.items()}
    return ToolRequest(
        agent=run.agent.name,
        tool=name,
        call_id=_CALL_ID.get(),
        arguments={key: value for key, value in encoded.items() if key not in runtimes},
        messages=moved,
        runtime={key: _runtime_data(runtime, encoded[key]) for key, runtime in runtimes.items()},
        stores=stores,
        scope=run.scope,
        configurable=plain(config.get("configurable")),
        metadata={key: value for key, value in plain(config.get("metadata")).items() if key != "thread_id"},
        tags=list(config.get("tags") or []),
    )


def take_messages(values: dict[str, Any], run: Run, path: Sequence[str] = ()) -> Iterator[MovedMessages]:
    """Moves the conversation out of values that will be encoded: the worker has most of it already."""
    for key, value in values.items():
        if _is_conversation(value):
            values[key] = None
            yield MovedMessages(path=[*path, key], transcript=run.transcript.part(value))
        elif len(path) < DEEPEST and (inner := _fields(value)):
            moved = list(take_messages(inner, run, [*path, key]))
            changed = [each.path[len(path) + 1] for each in moved]
            values[key] = _with(value, {name: inner[name] for name in changed}) if changed else value
            yield from moved


DEEPEST = 2
"""Levels below the first that are searched for a conversation: LangChain's agents put a tool call beside a state."""


def _fields(value: Any) -> dict[str, Any]:
    match value:
        case dict():
            return dict(value) if TAG not in value and all(isinstance(key, str) for key in value) else {}
        case BaseModel() if not isinstance(value, BaseMessage):
            return {name: getattr(value, name) for name in type(value).model_fields}
        case _ if is_dataclass(value) and not isinstance(value, (type, ToolRuntime, Command)):
            return {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        case _:
            return {}


def _with(value: Any, changed: dict[str, Any]) -> Any:
    """A copy with other fields, made without the checks of its class."""
    if isinstance(value, dict):
        return value | changed
    copied = copy(value)
    for name, each in changed.items():
        object.__setattr__(copied, name, each)
    return copied


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, BaseMessage) for item in value)


def _runtime_data(runtime: ToolRuntime[Any, Any], state: Any) -> RuntimeData:
    execution = asdict(runtime.execution_info) if runtime.execution_info else None
    return RuntimeData(state=state, context=encode(runtime.context, path="context"), execution=execution)


def plain(mapping: Any) -> dict[str, Any]:
    """What graph code put into a config, without LangGraph's own objects."""
    return {
        key: value
        for key, value in (mapping or {}).items()
        if isinstance(value, (str, int, float, bool)) and not key.startswith("__") and key not in _REPEATED
    }


_REPEATED = frozenset({"checkpoint_ns"})
"""What LangGraph says twice: the metadata have it as `langgraph_checkpoint_ns`."""


def _summary(request: ToolRequest) -> str:
    shown = {key: value for key, value in request.arguments.items() if isinstance(value, (str, int, float, bool))}
    if len(shown) == 1:
        return json.dumps(next(iter(shown.values())), ensure_ascii=False)
    return ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in shown.items())
