"""Graph nodes and functional tasks that run as activities: one activity type each, `orders.fetch`.

Each worker builds an agent's graph once more, with live resources, and finds the node in it by name. So a node may be a
closure, a lambda or an object, and need not be importable. State, runtime, config, `interrupt()` and the stream writer
are those of plain LangGraph.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import operator
import random
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.runnables.config import RunnableConfig, run_in_executor, var_child_runnable_config
from langgraph.errors import GraphInterrupt, ParentCommand
from langgraph.runtime import ExecutionInfo
from langgraph.types import PregelExecutableTask
from pydantic import BaseModel, ConfigDict, Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.approvals import DECISIONS, Decided, Decisions, WantedApproval
from activities.bodies import in_thread
from activities.failures import last_frames, translate
from activities.heartbeats import REPORTED
from activities.keys import TASK_KEYS, TaskKeys
from activities.late import refuse_unwanted
from activities.telling import Written
from activities.tool import MovedMessages, encode_pushed, is_own, put_back, task_config, types_of
from activities.wire import Types, decode, encode, hints_of, types_in
from agents.graph import activity_name, activity_parts, compiled_graph, function_of, task_body
from agents.memory import SHARED, Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from langgraph.pregel import Pregel
    from langgraph.store.base import BaseStore
    from langgraph.types import RetryPolicy

    from activities.transcript import TranscriptCache
    from agents.agent import Agent, Resources
    from agents.graph import Part
    from agents.registry import Registry


class NodeRequest(BaseModel):
    """`input` is what the node is given, encoded; of a task, its arguments, the positional ones by their place.

    `answers` are those to the interrupts that the node has raised so far, `inner_answers` those to the interrupts of
    graphs that it runs itself. `calls` are what is noted of the tool calls that it had made by then, `decisions` what
    people decided of others, `facts` what rules of approval see of the run, and `state`, encoded, what a node of tools
    reads of the state when it is sent calls alone.
    """

    model_config = ConfigDict(frozen=True)

    agent: str
    node: str
    scope: Scope = Field(default=SHARED, exclude_if=SHARED.__eq__)
    input: Any
    messages: list[MovedMessages] = []
    context: Any = None
    previous: Any = None
    execution: dict[str, Any] | None = None
    configurable: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    tags: list[str] = []
    recursion_limit: int | None = None
    answers: list[Any] = []
    inner_answers: list[Any] = []
    calls: dict[str, Any] = Field(default={}, exclude_if=operator.not_)
    decisions: dict[str, Decided] = Field(default={}, exclude_if=operator.not_)
    facts: dict[str, Any] = Field(default={}, exclude_if=operator.not_)
    state: dict[str, Any] = Field(default={}, exclude_if=operator.not_)


Kind = Literal["value", "interrupt", "inner_interrupt", "parent_command", "approval"]


class NodeResponse(BaseModel):
    """`value` is what the node returned, the value of an interrupt, of its own or of a graph that it ran, or a command
    for a graph around its own. `written` is what it gave to the stream writer, `pushed` to channels of the state beside
    its update. All of them are encoded. `answer_schema` says what the answer to the interrupt must be, where the node
    does; `calls` are what is noted of its tool calls, `wanted` is the one that must be approved before the node can go
    on.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind = "value"
    value: Any = None
    written: list[Any] = []
    pushed: list[tuple[str, Any]] = Field(default=[], exclude_if=operator.not_)
    answer_schema: dict[str, Any] | None = Field(default=None, exclude_if=operator.not_)
    calls: dict[str, Any] = Field(default={}, exclude_if=operator.not_)
    wanted: WantedApproval | None = Field(default=None, exclude_if=operator.not_)


def graph_types(agent: Agent, graph: Pregel[Any, Any, Any, Any], parts: Iterable[Part]) -> Types:
    """The agent's types, and those that its graph's schemas and the signatures of its activities mention."""
    return {**types_of(agent), **types_in([*_schemas(graph), *_signatures(parts)])}


def _schemas(graph: Any) -> Iterator[Any]:
    builder = getattr(graph, "builder", None)
    yield from getattr(builder, "schemas", ())
    yield from (builder and builder.context_schema, getattr(graph, "context_schema", None))
    yield from (getattr(channel, "typ", None) for channel in graph.channels.values())
    for node in graph.nodes.values():
        for inner in node.subgraphs:
            yield from _schemas(inner)


def _signatures(parts: Iterable[Part]) -> Iterator[Any]:
    for part in parts:
        yield from hints_of(function_of(part.bound)).values()


@dataclasses.dataclass(frozen=True, slots=True)
class _Live:
    """One agent's parts as they run here."""

    parts: dict[str, Part]
    types: Types


class NodeCalls:
    """The activities of all agents' nodes. `resources` gives an agent its live models, tools and retrievers."""

    def __init__(
        self,
        *,
        registry: Registry,
        transcripts: TranscriptCache,
        resources: Callable[[Agent], Resources],
        store_of: Callable[[str, Scope], BaseStore] | None = None,
    ) -> None:
        self._registry = registry
        self._transcripts = transcripts
        self._resources = resources
        self._store_of = store_of
        self._agents: dict[str, _Live] = {}

    def activities(self, parts: Mapping[str, Mapping[str, Part]]) -> list[Callable[..., Awaitable[NodeResponse]]]:
        """`parts` are those of each agent; the graph of an agent that has none is not built here."""
        for agent in filter(lambda agent: parts[agent.name], self._registry):
            self._agents[agent.name] = _live(agent, self._resources(agent))
        names = [activity_name(self._registry[agent], part) for agent, found in parts.items() for part in found]
        if taken := set(names) & {tool.name for agent in self._registry for tool in agent.tools}:
            raise ValueError(f"{min(taken)!r} is an activity of a node, and the name of a tool. Rename the tool.")
        return [self._named(name) for name in names]

    def _named(self, name: str) -> Callable[..., Awaitable[NodeResponse]]:
        @activity.defn(name=name)
        async def call_node(request: NodeRequest) -> NodeResponse:
            return await self._call(request)

        return call_node

    async def _call(self, request: NodeRequest) -> NodeResponse:
        reported = REPORTED.get()
        reported.takes_notes = True
        live = self._agents[request.agent]
        part = live.parts[request.node]
        given = {"input": request.input, "state": request.state}
        await put_back(given, request.messages, self._transcripts)
        written = Written(request.metadata)
        store = self._store_of(request.agent, request.scope) if self._store_of else None
        config = _config(request, part, live.types, written, store)
        keys = _keys(request)
        TASK_KEYS.set(keys)
        DECISIONS.set(Decisions(request.decisions, request.facts))
        notes = reported.notes
        notes |= {**request.calls, **notes}
        value, state = (decode(given[each], live.types) for each in ("input", "state"))
        config["configurable"] |= _reading(state)
        await refuse_unwanted()
        try:
            kind, value, schema = await _outcome(part, value, config)
        except Exception as error:
            await keys.calls_ended()
            if not part.retry_policy:
                raise
            raise _judged(error, part.retry_policy).with_traceback(last_frames(error.__traceback__)) from None
        await keys.calls_ended()
        name = activity.info().activity_type
        wanted = value if isinstance(value, WantedApproval) else None
        return NodeResponse(
            kind=kind,
            value=encode(None if wanted else value, path=name),
            written=encode([*written], path=f"{name} wrote"),
            pushed=encode_pushed(written),
            answer_schema=schema,
            calls={} if kind in ("value", "parent_command") else notes,  # else the node begins anew
            wanted=wanted,
        )


def _keys(request: NodeRequest) -> TaskKeys:
    """LangGraph's namespace holds the task's id, which a run draws anew in no replay, execution or reset."""
    info = activity.info()
    namespace = str(request.metadata.get("langgraph_checkpoint_ns", ""))
    return TaskKeys(info.namespace, info.workflow_id or "", namespace, request.node)


def _live(agent: Agent, resources: Resources) -> _Live:
    graph = compiled_graph(agent, resources)
    parts = {name: _in_threads(part) for name, part in activity_parts(agent, graph).items()}
    return _Live(parts, graph_types(agent, graph, parts.values()))


def _in_threads(part: Part) -> Part:
    """LangGraph hands synchronous functions to a pool of few threads, which those that hang use up."""
    function = getattr(part.bound, "afunc", None)
    if not (isinstance(function, functools.partial) and function.func is run_in_executor):
        return part
    bound: Any = copy.copy(part.bound)
    bound.afunc = functools.partial(in_thread, f"Node {part.name!r}", bound.func)
    return dataclasses.replace(part, bound=bound)


async def _outcome(part: Part, given: Any, config: RunnableConfig) -> tuple[Kind, Any, Any]:
    """What came of it, and of an interrupt what its answer must be."""
    token = var_child_runnable_config.set(config)
    try:
        return "value", await _run(part, arguments(given) if part.is_task else given, config), None
    except GraphInterrupt as pause:
        [question, *_] = pause.args[0]
        if isinstance(question.value, WantedApproval):
            return "approval", question.value, None
        return "interrupt" if is_own(pause) else "inner_interrupt", question.value, question.response_schema
    except ParentCommand as command:
        return "parent_command", command.args[0], None
    finally:
        var_child_runnable_config.reset(token)


def arguments(given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A task's arguments as LangGraph passes them."""
    named = {name: value for name, value in given.items() if not name.isdigit()}
    return tuple(value for name, value in given.items() if name.isdigit()), named


async def _run(part: Part, given: Any, config: RunnableConfig) -> Any:
    """LangGraph watches over its time-outs itself, by a private function."""
    if part.timeout is None:
        return await part.bound.ainvoke(given, config)
    from langgraph.pregel._retry import _arun_with_timeout, _resolve_timeout  # noqa: PLC0415 -- see above

    name = part.name.rpartition(".")[2]
    task = PregelExecutableTask(name, given, part.bound, deque(), config, (), (), None, "", ())
    return await _arun_with_timeout(task, config, _resolve_timeout(part.timeout), None, stream=False)


def _config(
    request: NodeRequest, part: Part, types: Types, written: Written, store: BaseStore | None
) -> RunnableConfig:
    """The config of the node's task. As in `task_config`, the keys are private to LangGraph; test_node.py knows when
    they move.
    """
    from langgraph._internal import _constants as keys  # noqa: PLC0415 -- see above

    config = task_config(request, types, written, store)
    if not request.tags:
        del config["tags"]
    config["metadata"] = {**part.metadata, **request.metadata}
    if request.recursion_limit is not None:
        config["recursion_limit"] = request.recursion_limit
    inside = config["configurable"]
    inside[keys.CONFIG_KEY_RUNTIME] = dataclasses.replace(
        inside[keys.CONFIG_KEY_RUNTIME],
        context=decode(request.context, types),
        previous=decode(request.previous, types),
        execution_info=_execution(request),
    )
    inside[keys.CONFIG_KEY_CALL] = functools.partial(_call_inline, asyncio.get_running_loop())
    return config


def _reading(state: dict[str, Any]) -> dict[str, Any]:
    """What `ToolNode` finds the state with, the names of its channels being the second argument of the partial."""
    from langgraph._internal._constants import CONFIG_KEY_READ  # noqa: PLC0415 -- see above

    def read(_scratchpad: None, channels: dict[str, Any], names: list[str], _fresh: bool) -> dict[str, Any]:  # noqa: FBT001 -- as LangGraph calls it
        return {name: channels[name] for name in names}

    return {CONFIG_KEY_READ: functools.partial(read, None, state)}


def _execution(request: NodeRequest) -> ExecutionInfo | None:
    if request.execution is None:
        return None
    return ExecutionInfo(**request.execution).patch(node_attempt=activity.info().attempt)


def _call_inline(loop: asyncio.AbstractEventLoop, function: Any, given: Any, **_options: Any) -> Any:
    """A functional task that is called in an activity is part of it. In a thread its future is one of threads."""
    body = task_body(function).ainvoke(given, var_child_runnable_config.get())
    try:
        return asyncio.get_running_loop().create_task(body)
    except RuntimeError:
        return asyncio.run_coroutine_threadsafe(body, loop)


def _judged(error: Exception, policies: Sequence[RetryPolicy]) -> ApplicationError:
    """The failure, tried again when and as the node's own retry policies say. They are asked here, where the
    exception is still itself; Temporal counts the attempts.
    """
    from langgraph.pregel._retry import _should_retry_on  # noqa: PLC0415 -- private to LangGraph

    failure = translate(error)
    attempt = activity.info().attempt
    policy = next((each for each in policies if _should_retry_on(each, error)), None)
    again = policy is not None and attempt < policy.max_attempts
    return ApplicationError(
        failure.message,
        *failure.details,
        type=failure.type,
        non_retryable=not again,
        next_retry_delay=failure.next_retry_delay or (_delay(policy, attempt) if policy else None),
    )


def _delay(policy: RetryPolicy, attempt: int) -> timedelta:
    seconds = min(policy.max_interval, policy.initial_interval * policy.backoff_factor ** (attempt - 1))
    jitter = random.uniform(0, 1) if policy.jitter else 0  # noqa: S311 -- spreads retries, guards nothing
    return timedelta(seconds=max(0.001, seconds + jitter))  # zero would mean that nothing was said
