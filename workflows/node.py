"""DurableNode and durable tasks: a node or a functional task whose body is an activity. Runs in workflows."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.runnables import Runnable
from langchain_core.runnables.config import RunnableConfig, var_child_runnable_config
from langgraph.config import get_config
from langgraph.constants import START
from langgraph.errors import GraphInterrupt, ParentCommand
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel
from langgraph.runtime import Runtime, get_runtime
from langgraph.types import RetryPolicy, interrupt

from activities.node import NodeRequest, NodeResponse, arguments, graph_types
from activities.wire import decode, encode
from agents.graph import activity_name, activity_parts
from agents.options import tool_options
from workflows.approving import approve_or_ask, decided, interrupt_of
from workflows.calls import arguments_digest
from workflows.events import told_already
from workflows.options import read_options
from workflows.run import current_run
from workflows.steps import async_only, execute_step, shorten
from workflows.streaming import push
from workflows.tool import place_of, plain, take_messages
from workflows.within import within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from activities.approvals import WantedApproval
    from activities.wire import Types
    from agents.agent import Agent
    from agents.graph import AnyGraph, Part
    from workflows.calls import Place
    from workflows.options import ActivityOptions
from workflows.run import Run

ONCE = (RetryPolicy(max_attempts=1),)
"""Of an activity's retries Temporal takes care; a graph's default policy would come on top of them."""


class Asked(NamedTuple):
    """Why a node that is an activity begins anew: a question, of its own or of a graph that `is_inner`, or, without
    one, a call that a person decides about. `calls` are those of tools that it had made by then.
    """

    is_inner: bool | None = None
    question: Any = None
    answer_schema: dict[str, Any] | None = None
    calls: dict[str, Any] = {}  # noqa: RUF012 -- a default of a named tuple


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a part before any run. `metadata` are the node's own, which its activity knows itself."""

    agent: str
    part: str
    activity: str
    options: ActivityOptions
    types: Types
    metadata: Mapping[str, Any]
    is_task: bool
    has_rules: bool
    is_tool_node: bool

    async def call(self, given: Any) -> Any:
        """One call of the node, as often as it must start again to be told another answer."""
        run = current_run()
        request = self._request(run, given)
        place = place_of(run, get_config())
        asked = run.asked.setdefault(f"{place.namespace} {self.activity}", [])
        answers = [
            (each.is_inner, interrupt(each.question, response_schema=each.answer_schema))
            for each in (Asked(*each) for each in asked)
            if each.is_inner is not None
        ]
        while True:
            made = run.calls.of_task(place.namespace)
            if question := next((call.question for call in made if call.question), None):
                raise GraphInterrupt((interrupt_of(question, self.types),))
            known = {
                "calls": Asked(*asked[-1]).calls if asked else {},
                "decisions": {call.key: decided(call) for call in made},
            }
            response = await self._execute(run, request.model_copy(update=known), given, answers)
            value = decode(response.value, self.types)
            with told_already():
                for item in response.written:
                    get_runtime().stream_writer(decode(item, self.types))
            if response.kind in ("value", "parent_command"):
                push(response.pushed, self.types)
            match response.kind:
                case "value":
                    return value
                case "parent_command":
                    raise ParentCommand(value)
                case "interrupt" | "inner_interrupt":
                    inner = response.kind == "inner_interrupt"
                    asked.append(tuple(Asked(inner, value, response.answer_schema, response.calls)))
                    answers.append((inner, interrupt(value, response_schema=response.answer_schema)))
                case "approval":
                    asked.append(tuple(Asked(calls=response.calls)))
                    assert response.wanted is not None  # noqa: S101 -- it comes with one
                    self._approve_or_ask(run, place, response.wanted)

    def _approve_or_ask(self, run: Run, place: Place, wanted: WantedApproval) -> None:
        tool, shown = run.agent.tool(wanted.tool), wanted.arguments
        options, digest = tool_options(tool), arguments_digest(wanted.tool, shown)
        summary = shorten(json.dumps(shown, ensure_ascii=False))
        approve_or_ask(
            run,
            run.calls.of_node(place, wanted.key, wanted.tool, digest, shown=summary),
            options.approval(run.agent.approve),
            effect=options.effect,
            shown=shown,
            types=self.types,
            node=(get_config().get("metadata") or {}).get("langgraph_node"),
        )

    async def _execute(
        self, run: Run, request: NodeRequest, given: Any, answers: list[tuple[bool, Any]]
    ) -> NodeResponse:
        answered = {
            "answers": [encode(answer) for inner, answer in answers if not inner],
            "inner_answers": [encode(answer) for inner, answer in answers if inner],
        }
        return await execute_step(
            self.activity,
            request.model_copy(update=answered),
            NodeResponse,
            options=run.agent.node_step,
            summary=self._summary(given),
            overrides=self.options.arguments,
        )

    def _request(self, run: Run, given: Any) -> NodeRequest:
        config = get_config()
        runtime: Runtime[Any] = get_runtime()
        values = {"input": given, "state": _state(config) if self.is_tool_node and _are_calls(given) else {}}
        moved = list(take_messages(values, run))
        return NodeRequest(
            agent=self.agent,
            node=self.part,
            scope=run.scope,
            input=encode(values["input"], path=f"The input of {self.activity}"),
            messages=moved,
            context=encode(runtime.context, path="context"),
            previous=encode(runtime.previous, path="previous"),
            execution=asdict(runtime.execution_info) if runtime.execution_info else None,
            configurable=plain(config.get("configurable")),
            metadata={
                key: value
                for key, value in plain(config.get("metadata")).items()
                if key != "thread_id" and key not in self.metadata
            },
            tags=list(config.get("tags") or []),
            recursion_limit=config.get("recursion_limit"),
            facts=run.facts if self.has_rules else {},
            state=encode(values["state"], path=f"The state of {self.activity}"),
        )

    def _summary(self, given: Any) -> str:
        match self.options.summary:
            case None:
                return ""
            case str(text):
                return text
            case function:
                positional, named = arguments(given) if self.is_task else ((given,), {})
                return function(positional, named) or ""


def _are_calls(given: Any) -> bool:
    """Of tools, sent to a `ToolNode` by `Send`: it reads the state itself then."""
    return (
        isinstance(given, list) and bool(given) and isinstance(given[-1], dict) and given[-1].get("type") == "tool_call"
    )


def _state(config: RunnableConfig) -> dict[str, Any]:
    """The author's channels, as `ToolNode` reads them, without LangGraph's own."""
    from langgraph._internal._constants import CONFIG_KEY_READ  # noqa: PLC0415 -- see `_with_durable_calls`

    read = config["configurable"][CONFIG_KEY_READ]
    names = [name for name in read.args[1] if not name.startswith("__") and ":" not in name]
    state: dict[str, Any] = read(names, True)  # noqa: FBT003 -- as LangGraph calls it
    return state


class DurableNode(Runnable[Any, Any]):
    """Stands where a node's function stood. No closure holds what it needs: LangGraph looks for subgraphs in those."""

    def __init__(self, step: Step) -> None:
        self.step = step

    invoke = async_only

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **_options: Any) -> Any:  # noqa: A002 -- LangChain's name
        token = var_child_runnable_config.set(config)
        try:
            return await self.step.call(input)
        finally:
            var_child_runnable_config.reset(token)


class CallingTasks(Runnable[Any, Any]):
    """A node of the workflow, whose calls of functional tasks become activities where a task is to be one."""

    def __init__(self, bound: Runnable[Any, Any], steps: Mapping[str, Step]) -> None:
        self.bound = bound
        self.steps = steps

    invoke = async_only

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **options: Any) -> Any:  # noqa: A002 -- LangChain's name
        config = _with_durable_calls(config or RunnableConfig(), self.steps)
        token = var_child_runnable_config.set(config)
        try:
            return await self.bound.ainvoke(input, config, **options)
        finally:
            var_child_runnable_config.reset(token)


def with_durable_nodes(agent: Agent, graph: AnyGraph) -> AnyGraph:
    """A copy of `graph` whose marked nodes and tasks are activities. Raises for marks that can't be honoured."""
    parts = activity_parts(agent, graph)
    if not parts:
        return graph
    types = graph_types(agent, graph, parts.values())
    steps = {name: _step(agent, part, types) for name, part in parts.items()}
    return _replaced(graph, "", steps, {name: step for name, step in steps.items() if step.is_task})


def _step(agent: Agent, part: Part, types: Types) -> Step:
    return Step(
        agent=agent.name,
        part=part.name,
        activity=activity_name(agent, part.name),
        options=read_options(agent.name, part, agent.node_step.timeout),
        types=types,
        metadata=part.metadata,
        is_task=part.is_task,
        has_rules=any(tool_options(tool).approval(agent.approve).rule for tool in agent.tools),
        is_tool_node=isinstance(part.bound, ToolNode),
    )


def _replaced(graph: AnyGraph, prefix: str, steps: Mapping[str, Step], tasks: Mapping[str, Step]) -> AnyGraph:
    nodes = {}
    for name, node in graph.nodes.items():
        step = steps.get(prefix + name)
        if step is not None and not step.is_task:
            update = {"bound": DurableNode(step), "subgraphs": [], "retry_policy": ONCE, "timeout": None}
        elif isinstance(node.bound, Pregel):
            inner = _replaced(node.bound, f"{prefix}{name}.", steps, tasks)
            update = {"bound": inner, "subgraphs": [inner]}
        elif tasks and name != START:
            update = {"bound": CallingTasks(node.bound, tasks)}
        else:
            update = {}
        nodes[name] = node.copy(update)
    return graph.copy({"nodes": nodes})


# Functional tasks


def _with_durable_calls(config: RunnableConfig, steps: Mapping[str, Step]) -> RunnableConfig:
    """LangGraph's tasks are called through the config, under a key that is private to it."""
    from langgraph._internal._constants import CONFIG_KEY_CALL  # noqa: PLC0415 -- see above

    inside = config.get("configurable", {})
    call = inside[CONFIG_KEY_CALL]

    def call_durably(function: Any, given: Any, **options: Any) -> Any:
        step = steps.get(getattr(function, "__name__", ""))
        if step is None:
            return call(_passing_on(function, steps), given, **options)
        return call(_durable_task(step), given, **(options | {"retry_policy": ONCE, "timeout": None}))

    return {**config, "configurable": {**inside, CONFIG_KEY_CALL: call_durably}}


def _durable_task(step: Step) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await step.call({str(place): value for place, value in enumerate(args)} | kwargs)

    call.__name__ = call.__qualname__ = step.part
    return call


def _passing_on(function: Any, steps: Mapping[str, Step]) -> Any:
    """A task of the workflow may call others: LangGraph hands each task a config of its own."""
    if not isinstance(function, FunctionType):
        return function

    @contextmanager
    def calling_durably(_arguments: dict[str, Any]) -> Iterator[None]:
        token = var_child_runnable_config.set(_with_durable_calls(get_config(), steps))
        try:
            yield
        finally:
            var_child_runnable_config.reset(token)

    return within(calling_durably, function)
