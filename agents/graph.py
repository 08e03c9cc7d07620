"""An agent's graph as LangGraph compiles it, and which of its nodes and tasks run as activities.

The metadata of a node say so: `{"execute_in": "activity"}`. LangGraph's functional tasks have no metadata; for them
`Agent.activity_options` says it by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from langgraph.graph.state import StateGraph
from langgraph.pregel import Pregel

from agents.errors import known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_core.runnables import Runnable
    from langgraph.pregel._read import PregelNode
    from langgraph.types import RetryPolicy, TimeoutPolicy

    from agents.agent import Agent, Resources

    AnyGraph = Pregel[Any, Any, Any, Any]

EXECUTE_IN = "execute_in"
PLACES = ("activity", "workflow")


@dataclass(frozen=True, slots=True)
class Part:
    """A node or a functional task that runs as an activity. `name` is its path: `fetch`, or `sub.fetch`."""

    name: str
    bound: Runnable[Any, Any]
    options: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    retry_policy: Sequence[RetryPolicy] = ()
    timeout: TimeoutPolicy | None = None
    is_task: bool = False


def compiled_graph(agent: Agent, resources: Resources) -> AnyGraph:
    graph = agent.build(resources)
    compiled = graph.compile() if isinstance(graph, StateGraph) else graph
    if not isinstance(compiled, Pregel):
        raise TypeError(
            f"Agent {agent.name!r}: build() returned a {type(compiled).__name__} where a LangGraph graph is expected."
        )
    return compiled


def activity_name(agent: Agent, part: str) -> str:
    return f"{agent.name}.{part}"


def activity_parts(agent: Agent, graph: AnyGraph) -> dict[str, Part]:
    """The nodes and tasks that run as activities, by name. Raises `ValueError` for marks that can't be honoured."""
    parts: dict[str, Part] = {}
    for part in (*_nodes(agent, graph, ""), *_tasks(agent, graph)):
        if part.name in parts:
            raise ValueError(f"Agent {agent.name!r} has two activities named {part.name!r}. Rename a node or a task.")
        parts[part.name] = part
    return parts


def runs_in_activity(agent: Agent, name: str, options: Mapping[str, Any] | None) -> bool:
    place = (options or {}).get(EXECUTE_IN, "workflow")
    if place not in PLACES:
        raise ValueError(
            f"Agent {agent.name!r}, {name!r}: {EXECUTE_IN!r} is {place!r} where 'activity' or 'workflow' is expected."
        )
    return bool(place == "activity")


# Nodes


def _nodes(agent: Agent, graph: AnyGraph, prefix: str) -> Iterator[Part]:
    for name, node in graph.nodes.items():
        path = prefix + name
        if runs_in_activity(agent, path, node.metadata):
            yield _node(agent, path, node, graph.retry_policy)
        elif isinstance(node.bound, Pregel):
            yield from _nodes(agent, node.bound, f"{path}.")
        else:
            _refuse_hidden(agent, path, node)


def calls_graphs(graph: AnyGraph) -> bool:
    """Whether a function, of the graph or of a graph that is one of its nodes, calls a graph."""
    return any(
        calls_graphs(node.bound) if isinstance(node.bound, Pregel) else bool(node.subgraphs)
        for node in graph.nodes.values()
    )


def _node(agent: Agent, path: str, node: PregelNode, retry_policy: Sequence[RetryPolicy]) -> Part:
    if node.cache_policy:
        raise ValueError(f"Agent {agent.name!r}, node {path!r}: {_NO_CACHE}")
    return Part(
        path,
        node.bound,
        options=node.metadata or {},
        metadata=node.metadata or {},
        retry_policy=node.retry_policy or retry_policy,
        timeout=node.timeout,
    )


_NO_CACHE = "its cache_policy needs a cache, which would outlive a replay. Leave the policy out."


def _refuse_hidden(agent: Agent, path: str, node: PregelNode) -> None:
    """A graph that a function calls can't be given stand-ins without changing the function."""
    for graph in node.subgraphs:
        if isinstance(graph, Pregel) and any(_nodes(agent, graph, f"{path}.")):
            raise ValueError(
                f"Agent {agent.name!r}, node {path!r} calls a graph that has nodes to be run as activities. "
                "Add that graph itself as a node, or mark the node that calls it."
            )


# Tasks


def _tasks(agent: Agent, graph: AnyGraph) -> Iterator[Part]:
    if not agent.activity_options:
        return
    tasks = _tasks_by_name(graph)
    for name, options in agent.activity_options.items():
        found = tasks.get(name, [])
        if len(found) != 1:
            many = f"has {len(found)} tasks" if found else "has no task"
            raise ValueError(
                f"Agent {agent.name!r}: activity_options tells of {name!r}, and its graph {many} of that name "
                f"that its functions call. {known(tasks)}"
            )
        if EXECUTE_IN not in options:
            raise ValueError(f"Agent {agent.name!r}, task {name!r}: say {EXECUTE_IN!r}, 'activity' or 'workflow'.")
        if runs_in_activity(agent, name, options):
            yield _task(agent, name, found[0], graph.retry_policy, options)


def _task(agent: Agent, name: str, task: Any, retry_policy: Sequence[RetryPolicy], options: Mapping[str, Any]) -> Part:
    if task.cache_policy:
        raise ValueError(f"Agent {agent.name!r}, task {name!r}: {_NO_CACHE}")
    return Part(
        name,
        task_body(task.func),
        options=options,
        retry_policy=task.retry_policy or retry_policy,
        timeout=task.timeout,
        is_task=True,
    )


def task_body(function: Any) -> Runnable[Any, Any]:
    """What runs a task's function, without what writes its result. Takes `(args, kwargs)`."""
    from langgraph.pregel._call import get_runnable_for_task  # noqa: PLC0415 -- private to LangGraph

    sequence: Any = get_runnable_for_task(function)
    body: Runnable[Any, Any] = sequence.steps[0]
    return body


def _tasks_by_name(graph: AnyGraph) -> dict[str, list[Any]]:
    """The functional tasks that the graph's functions mention, as LangGraph looks for subgraphs in them."""
    from langgraph.func import _TaskFunction  # noqa: PLC0415 -- private to LangGraph

    tasks: dict[str, list[Any]] = {}
    pending, seen = list(_functions(graph)), set[int]()
    packages = {_package(function) for function in pending}
    while pending:
        found = pending.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, _TaskFunction):
            tasks.setdefault(str(getattr(found, "__name__", "")), []).append(found)
            pending.append(found.func)
        elif isinstance(found, (FunctionType, MethodType)) and _package(found) in packages:
            pending.extend(_mentioned(found))
    return tasks


def _mentioned(function: Any) -> Iterator[Any]:
    """What a function's code names. LangGraph leaves out what only a comprehension, or a function inside, does."""
    from langgraph.pregel._utils import get_function_nonlocals  # noqa: PLC0415 -- private to LangGraph

    yield from get_function_nonlocals(function)
    names = getattr(function, "__globals__", {})
    pending = [function.__code__]
    while pending:
        code = pending.pop()
        pending.extend(each for each in code.co_consts if isinstance(each, CodeType))
        yield from (names[name] for name in code.co_names if name in names)


def _functions(graph: AnyGraph) -> Iterator[Any]:
    for node in graph.nodes.values():
        if isinstance(node.bound, Pregel):
            yield from _functions(node.bound)
        elif function := function_of(node.bound):
            yield function


def function_of(bound: Any) -> Any:
    """The function that a node was made of, where it was made of one."""
    return getattr(bound, "func", None) or getattr(bound, "afunc", None)


def _package(function: Any) -> str:
    return str(getattr(function, "__module__", "")).partition(".")[0]
