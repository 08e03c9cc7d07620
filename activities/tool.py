"""One activity type per tool, named after it. Only the tool's body runs here, in a place of its own (`bodies.py`).

Validation, the error policy and the `ToolMessage` stay where the graph runs. `ToolRuntime`, injected state and store,
`get_config()`, `get_stream_writer()` and `interrupt()` work in the body as they do in plain LangGraph.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import operator
from collections import deque
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from langchain_core.runnables.config import RunnableConfig, var_child_runnable_config
from langchain_core.tools import BaseTool, ToolException
from langgraph.errors import GraphInterrupt, NodeInterrupt, ParentCommand
from langgraph.prebuilt import ToolRuntime
from langgraph.runtime import ExecutionInfo, Runtime
from langgraph.types import interrupt
from pydantic import BaseModel, ConfigDict, Field
from temporalio import activity

from activities.late import refuse_unwanted
from activities.plain import refuse_vast
from activities.telling import Written
from activities.transcript import TranscriptPart
from activities.wire import TAG, Types, decode, encode, types_in
from agents.errors import NotBegun, PerdureError
from agents.graph import task_body
from agents.idempotency import IDEMPOTENCY_KEY
from agents.memory import SHARED, Scope
from agents.options import tool_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from langchain_core.messages import BaseMessage
    from langgraph.store.base import BaseStore

    from activities.bodies import Bodies
    from activities.transcript import TranscriptCache
    from agents.agent import Agent
    from agents.registry import Registry


class RuntimeData(BaseModel):
    """What a `ToolRuntime` holds, as data. `state` and `context` are encoded."""

    model_config = ConfigDict(frozen=True)

    state: Any
    context: Any = None
    execution: dict[str, Any] | None = None


class MovedMessages(BaseModel):
    """A list of messages that was taken out of encoded values, and where it belongs: `["runtime", "messages"]`."""

    model_config = ConfigDict(frozen=True)

    path: list[str]
    transcript: TranscriptPart


class ToolRequest(BaseModel):
    """`arguments` are encoded. `runtime` names the argument that takes a `ToolRuntime`, `stores` those that take the
    store, of which it sees `scope`, `answers` the answers, encoded, to the interrupts that the body has raised so far,
    `inner_answers` those to the interrupts of graphs that it ran.
    """

    model_config = ConfigDict(frozen=True)

    agent: str
    tool: str
    call_id: str | None = None
    key: str = ""
    arguments: dict[str, Any]
    messages: list[MovedMessages] = []
    runtime: dict[str, RuntimeData] = {}
    stores: list[str] = Field(default=[], exclude_if=operator.not_)
    scope: Scope = Field(default=SHARED, exclude_if=SHARED.__eq__)
    configurable: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    tags: list[str] = []
    answers: list[Any] = []
    inner_answers: list[Any] = Field(default=[], exclude_if=operator.not_)


ResponseKind = Literal["value", "interrupt", "inner_interrupt", "parent_command", "error"]


class ToolResponse(BaseModel):
    """`value` is what the body returned, the value of an interrupt, of its own or of a graph that it ran, a command of
    such a graph for those around it, or the text of its `ToolException`.

    `written` is what it gave to the stream writer, `pushed` to channels of the state. All of them are encoded.
    `answer_schema` says what the answer to the interrupt must be, where the body does.
    """

    model_config = ConfigDict(frozen=True)

    kind: ResponseKind = "value"
    value: Any = None
    written: list[Any] = []
    pushed: list[tuple[str, Any]] = Field(default=[], exclude_if=operator.not_)
    answer_schema: dict[str, Any] | None = Field(default=None, exclude_if=operator.not_)


class ToolCalls:
    """The activities of all tools of all agents. Agents may have different tools of one name."""

    def __init__(
        self,
        *,
        registry: Registry,
        transcripts: TranscriptCache,
        bodies: Bodies,
        store_of: Callable[[str, Scope], BaseStore] | None = None,
    ) -> None:
        self._registry = registry
        self._transcripts = transcripts
        self._bodies = bodies
        self._store_of = store_of
        self._types = {agent.name: types_of(agent) for agent in registry}
        for agent in registry:
            bodies.check(agent)

    def activities(self) -> list[Callable[..., Awaitable[ToolResponse]]]:
        names = {tool.name for agent in self._registry for tool in agent.tools}
        return [self._named(name) for name in sorted(names)]

    def _named(self, name: str) -> Callable[..., Awaitable[ToolResponse]]:
        @activity.defn(name=name)
        async def call_tool(request: ToolRequest) -> ToolResponse:
            return await self._call(request)

        return call_tool

    async def _call(self, request: ToolRequest) -> ToolResponse:
        agent = self._registry[request.agent]
        tool = agent.tool(request.tool)
        store = self._store_of(request.agent, request.scope) if self._store_of else None
        place = self._bodies.place(agent, tool)
        with _before_the_body():
            opened = await _opened(request, self._transcripts, encode if place == "process" else list)
        return await self._bodies.run(ToolCall(tool, opened, self._types[request.agent], store), agent, place)


async def _opened(
    request: ToolRequest, transcripts: TranscriptCache, form: Callable[[Sequence[BaseMessage]], Any]
) -> ToolRequest:
    """The request with the messages in their places. A runtime's own state is under the runtime's name until then."""
    encoded = request.arguments | {name: data.state for name, data in request.runtime.items()}
    await put_back(encoded, request.messages, transcripts, form)
    runtime = {name: data.model_copy(update={"state": encoded.pop(name)}) for name, data in request.runtime.items()}
    return request.model_copy(update={"arguments": encoded, "runtime": runtime, "messages": []})


class ToolCall:
    """One call of a tool's body, with all that it finds around it. Made in the activity; carried out anywhere."""

    def __init__(
        self,
        tool: BaseTool,
        request: ToolRequest,
        types: Types,
        store: BaseStore | None,
        tell: Callable[[Any], None] | None = None,
    ) -> None:
        self.request = request
        self.body, self.is_async = body_of(tool)
        self.context = copy_context()
        self._is_read = tool_options(tool).effect == "read"
        self._types = types
        self._store = store
        self._written = Written(request.metadata, tell)

    async def refuse_unwanted(self) -> None:
        """Comes right before it is carried out. Raises `NotBegun`."""
        if not self._is_read:
            with _before_the_body():
                await refuse_unwanted()

    def carry_out(self) -> ToolResponse:
        """A synchronous body. Call it in `context`."""
        config, arguments = self._begun()
        try:
            value = self.body(**arguments, **_config_argument(self.body, config))
        except (GraphInterrupt, ParentCommand, ToolException) as raised:
            return self._raised(raised)
        return self._response("value", value)

    async def carry_out_async(self) -> ToolResponse:
        """An asynchronous body. Await it in `context`."""
        config, arguments = self._begun()
        try:
            value = await self.body(**arguments, **_config_argument(self.body, config))
        except (GraphInterrupt, ParentCommand, ToolException) as raised:
            return self._raised(raised)
        return self._response("value", value)

    def _begun(self) -> tuple[RunnableConfig, dict[str, Any]]:
        config = task_config(self.request, self._types, self._written, self._store)
        config["configurable"][IDEMPOTENCY_KEY] = self.request.key
        var_child_runnable_config.set(config)
        encoded = self.request.arguments | {name: data.state for name, data in self.request.runtime.items()}
        with _before_the_body():
            values: dict[str, Any] = decode(encoded, self._types)
            for name, data in self.request.runtime.items():
                values[name] = _tool_runtime(self.request, data, values[name], config, self._types)
        return config, values | dict.fromkeys(self.request.stores, self._store)

    def _raised(self, raised: GraphInterrupt | ParentCommand | ToolException) -> ToolResponse:
        if isinstance(raised, ParentCommand):
            return self._response("parent_command", raised.args[0])
        if isinstance(raised, ToolException):
            return self._response("error", str(raised))
        question = raised.args[0][0]
        response = self._response("interrupt" if is_own(raised) else "inner_interrupt", question.value)
        return response.model_copy(update={"answer_schema": question.response_schema})

    def _response(self, kind: ResponseKind, value: Any) -> ToolResponse:
        refuse_vast(value, "What the tool gives back")
        return ToolResponse(
            kind=kind,
            value=encode(value, path=kind),
            written=encode([*self._written], path="written"),
            pushed=encode_pushed(self._written),
        )


def encode_pushed(written: Written) -> list[tuple[str, Any]]:
    return [(channel, encode(value, path=channel)) for channel, value in written.pushed]


@contextmanager
def _before_the_body() -> Iterator[None]:
    """What fails here is safe to be tried again, whatever the tool does."""
    try:
        yield
    except PerdureError:
        raise
    except Exception as error:
        raise NotBegun(f"{type(error).__name__}: {error}") from error


def chosen_by_model(tool: BaseTool) -> frozenset[str] | None:
    """The arguments that the model chooses, or `None` where all of them are: a JSON schema knows no injected ones."""
    schema: Any = tool.tool_call_schema
    if isinstance(schema, dict):
        return None
    return frozenset(schema.model_fields if issubclass(schema, BaseModel) else schema.__fields__)


def types_of(agent: Agent) -> Types:
    """The types that the agent declares, and those of its tools' own arguments."""
    return types_in([*agent.types, *(tool.get_input_schema() for tool in agent.tools)])


async def put_back(
    encoded: dict[str, Any],
    moved: Sequence[MovedMessages],
    transcripts: TranscriptCache,
    form: Callable[[Sequence[BaseMessage]], Any] = list,
) -> None:
    """Puts the messages where they were, into values that are still encoded: decoding lets messages pass."""
    for each in moved:
        _, messages = await transcripts.open(each.transcript)
        *parents, last = each.path
        values = encoded
        for name in parents:
            values = values[name]
            values = values["value"][1] if TAG in values else values  # the fields of a model or a dataclass
        values[last] = form(list(messages))


def body_of(tool: BaseTool) -> tuple[Callable[..., Any], bool]:
    """The function behind `tool`, and whether it is asynchronous, where it may be either."""
    if (coroutine := getattr(tool, "coroutine", None)) is not None:
        return coroutine, True
    if (function := getattr(tool, "func", None)) is not None:
        return function, False
    is_async = type(tool)._arun is not BaseTool._arun  # noqa: SLF001 -- a BaseTool's body
    return (tool._arun if is_async else tool._run), is_async  # noqa: SLF001 -- ditto


def _config_argument(body: Callable[..., Any], config: RunnableConfig) -> dict[str, RunnableConfig]:
    """The config under the name of the parameter that is annotated with its type, as LangChain passes it."""
    return dict.fromkeys(config_parameters(body), config)


def config_parameters(body: Callable[..., Any]) -> list[str]:
    annotations = inspect.get_annotations(body)
    return [name for name, kind in annotations.items() if kind in _CONFIGS and name != "return"]


_CONFIGS = (
    RunnableConfig,
    RunnableConfig | None,
    "RunnableConfig",
    "RunnableConfig | None",
    "Optional[RunnableConfig]",
)


def _tool_runtime(
    request: ToolRequest, data: RuntimeData, state: Any, config: RunnableConfig, types: Types
) -> ToolRuntime[Any, Any]:
    runtime = _runtime_of(config)
    return ToolRuntime(
        state=state,
        context=decode(data.context, types),
        config=config,
        stream_writer=runtime.stream_writer,
        tool_call_id=request.call_id,
        store=runtime.store,
        execution_info=ExecutionInfo(**data.execution) if data.execution else None,
    )


class TaskData(Protocol):
    """What a request says of the graph's task that it comes from."""

    @property
    def configurable(self) -> dict[str, Any]: ...
    @property
    def metadata(self) -> dict[str, Any]: ...
    @property
    def tags(self) -> list[str]: ...
    @property
    def answers(self) -> list[Any]: ...
    @property
    def inner_answers(self) -> list[Any]: ...


def task_config(request: TaskData, types: Types, written: Written, store: BaseStore | None) -> RunnableConfig:
    """The config of a graph's task, made here because the task itself is in the workflow.

    `interrupt()` and `get_stream_writer()` find what they need under private keys of LangGraph; this function is
    the one place that knows them, and tests/unit/activities/test_tool.py fails when they move. With a task's id, a
    graph that is run in the task raises its interrupts instead of returning them.
    """
    from langgraph._internal import _constants as keys  # noqa: PLC0415 -- see above
    from langgraph._internal._scratchpad import PregelScratchpad  # noqa: PLC0415 -- see above
    from langgraph.pregel._algo import LazyAtomicCounter  # noqa: PLC0415 -- see above

    namespace = str(request.metadata.get("langgraph_checkpoint_ns", ""))

    def push(writes: Sequence[tuple[str, Any]]) -> None:
        """An interrupt notes its answers so, which the workflow knows."""
        written.pushed.extend(each for each in writes if each[0] != keys.RESUME)

    thread = request.configurable.get("thread_id")
    inner_answers = deque(decode(answer, types) for answer in request.inner_answers)
    runtime: Runtime[Any] = Runtime(stream_writer=written.append, heartbeat=activity.heartbeat, store=store)
    scratchpad = PregelScratchpad(
        step=0,
        stop=0,
        call_counter=LazyAtomicCounter(),
        interrupt_counter=LazyAtomicCounter(),
        get_null_resume=partial(_next_answer, inner_answers),
        resume=[decode(answer, types) for answer in request.answers],
        subgraph_counter=LazyAtomicCounter(),
    )
    return RunnableConfig(
        callbacks=[],
        tags=request.tags,
        metadata={**({"thread_id": thread} if thread else {}), "checkpoint_ns": namespace, **request.metadata},
        configurable={
            **request.configurable,
            keys.CONFIG_KEY_RUNTIME: runtime,
            keys.CONFIG_KEY_SCRATCHPAD: scratchpad,
            keys.CONFIG_KEY_SEND: push,
            keys.CONFIG_KEY_CHECKPOINT_NS: namespace,
            keys.CONFIG_KEY_CALL: _call_inline,
            keys.CONFIG_KEY_TASK_ID: namespace.rpartition(":")[2],
        },
    )


def _call_inline(function: Any, given: Any, **_options: Any) -> Any:
    """A functional task that is called in an activity is part of it. In a thread it is over when this returns."""
    body = task_body(function).ainvoke(given, var_child_runnable_config.get())
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        over: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            over.set_result(asyncio.run(body))
        except Exception as error:  # noqa: BLE001 -- a future hands on whatever was raised
            over.set_exception(error)
        return over
    return loop.create_task(body)


def _next_answer(answers: deque[Any], consume: bool = False) -> Any:  # noqa: FBT001, FBT002 -- as LangGraph calls it
    if not answers:
        return None
    return answers.popleft() if consume else answers[0]


def is_own(pause: GraphInterrupt) -> bool:
    """Whether the code that runs as a task asks itself: a graph inside it gives its questions other ids."""
    if isinstance(pause, NodeInterrupt):
        return True
    try:
        interrupt(None)
    except GraphInterrupt as own:
        return bool(own.args[0][0].id == pause.args[0][0].id)
    return False


def _runtime_of(config: RunnableConfig) -> Runtime[Any]:
    from langgraph._internal._constants import CONFIG_KEY_RUNTIME  # noqa: PLC0415 -- as in _config

    runtime: Runtime[Any] = config["configurable"][CONFIG_KEY_RUNTIME]
    return runtime
