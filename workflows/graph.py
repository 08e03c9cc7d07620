"""Readies agents' graphs for the workflow's event loop and runs them. Runs in workflows."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import langsmith
from langgraph.graph.state import StateGraph
from langgraph.pregel import Pregel

from activities.tool import types_of
from workflows.durable import DurableResources
from workflows.store import DurableStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from agents.agent import Agent
    from agents.registry import Registry


@dataclass(frozen=True, slots=True)
class Graphs:
    """The compiled graph of each agent. Made once per worker process and shared by all its runs."""

    registry: Registry
    compiled: Mapping[str, Pregel[Any, Any, Any, Any]]

    @classmethod
    def of(cls, registry: Registry, model_id: Callable[[str | None], str]) -> Graphs:
        return cls(registry, {agent.name: _compiled(agent, model_id) for agent in registry})


GRAPHS: ContextVar[Graphs] = ContextVar("perdure_graphs")
"""The graphs of the worker that runs this workflow. Its interceptor sets them: a workflow's constructor can't."""


def _compiled(agent: Agent, model_id: Callable[[str | None], str]) -> Pregel[Any, Any, Any, Any]:
    graph = agent.build(DurableResources(agent, model_id))
    compiled = graph.compile() if isinstance(graph, StateGraph) else graph
    if not isinstance(compiled, Pregel):
        raise TypeError(
            f"Agent {agent.name!r}: build() returned a {type(compiled).__name__} where a LangGraph graph is expected."
        )
    if unfit := [name for name, what in _PER_PROCESS.items() if getattr(compiled, name)]:
        raise ValueError(
            f"Agent {agent.name!r}: its graph is compiled with {' and '.join(unfit)}. {_PER_PROCESS[unfit[0]]}"
        )
    return compiled.copy({"store": DurableStore(types_of(agent))})


_PER_PROCESS = {
    "cache": "A cache would outlive a replay, which must find what the first run found. Leave it out.",
    "store": "A store of its own would outlive a replay. Leave the store out: the run brings its own.",
    "interrupt_before_nodes": "Breakpoints of a graph are not supported yet. Call interrupt() in the node.",
    "interrupt_after_nodes": "Breakpoints of a graph are not supported yet. Call interrupt() in the node.",
}
"""Arguments of `compile` that a run can't honour, and why."""


def with_saver(graph: Pregel[Any, Any, Any, Any], saver: BaseCheckpointSaver[int]) -> Pregel[Any, Any, Any, Any]:
    return graph.copy({"checkpointer": saver})


async def run_graph(graph: Pregel[Any, Any, Any, Any], given: Any, config: RunnableConfig) -> Any:
    """The graph's final state. Tracing hops threads, which a workflow does not have: it is on in the activities."""
    with langsmith.tracing_context(enabled=False):
        return await graph.ainvoke(given, config, durability="exit")
