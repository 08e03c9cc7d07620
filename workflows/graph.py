"""Readies agents' graphs for the workflow's event loop and runs them. Runs in workflows."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import langsmith

from activities.tool import types_of
from agents.graph import activity_parts, compiled_graph
from workflows.cache import RunCache
from workflows.compaction import refuse_uncompactable
from workflows.determinism import contained
from workflows.durable import DurableResources
from workflows.node import with_durable_nodes
from workflows.store import DurableStore
from workflows.streaming import streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.pregel import Pregel
    from langgraph.runtime import RunControl

    from agents.agent import Agent
    from agents.graph import Part
    from agents.registry import Registry
    from workflows.run import Run


@dataclass(frozen=True, slots=True)
class Graphs:
    """The compiled graph of each agent. Made once per worker process and shared by all its runs.

    `parts` are the nodes and tasks of each agent that run as activities, by name, `summarisers` the ids of the models
    that write the summaries of long conversations.
    """

    registry: Registry
    compiled: Mapping[str, Pregel[Any, Any, Any, Any]]
    parts: Mapping[str, Mapping[str, Part]]
    summarisers: Mapping[str, str]

    @classmethod
    def of(cls, registry: Registry, model_id: Callable[[str | None], str]) -> Graphs:
        built = {agent.name: _compiled(agent, model_id) for agent in registry}
        return cls(
            registry,
            {agent.name: _durable(agent, built[agent.name]) for agent in registry},
            {agent.name: activity_parts(agent, built[agent.name]) for agent in registry},
            {agent.name: model_id(agent.compaction.model) for agent in registry if agent.compaction},
        )


GRAPHS: ContextVar[Graphs] = ContextVar("perdure_graphs")
"""The graphs of the worker that runs this workflow. Its interceptor sets them: a workflow's constructor can't."""


def _durable(agent: Agent, graph: Pregel[Any, Any, Any, Any]) -> Pregel[Any, Any, Any, Any]:
    return with_durable_nodes(agent, graph).copy({"store": DurableStore(types_of(agent))})


def _compiled(agent: Agent, model_id: Callable[[str | None], str]) -> Pregel[Any, Any, Any, Any]:
    compiled = compiled_graph(agent, DurableResources(agent, model_id))
    if agent.compaction:
        refuse_uncompactable(agent, compiled)
    if unfit := [name for name, what in _PER_PROCESS.items() if getattr(compiled, name)]:
        raise ValueError(
            f"Agent {agent.name!r}: its graph is compiled with {' and '.join(unfit)}. {_PER_PROCESS[unfit[0]]}"
        )
    return compiled


_PER_PROCESS = {
    "store": "A store of its own would outlive a replay. Leave the store out: the run brings its own.",
    "interrupt_before_nodes": "Breakpoints of a graph are not supported yet. Call interrupt() in the node.",
    "interrupt_after_nodes": "Breakpoints of a graph are not supported yet. Call interrupt() in the node.",
}
"""Arguments of `compile` that a run can't honour, and why."""


def with_saver(graph: Pregel[Any, Any, Any, Any], saver: BaseCheckpointSaver[int]) -> Pregel[Any, Any, Any, Any]:
    """A copy for one run, with a cache of its own where the author's has one."""
    return graph.copy({"checkpointer": saver, "cache": RunCache() if graph.cache is not None else None})


async def run_graph(run: Run, given: Any, control: RunControl) -> Any:
    """The graph's final state. Tracing hops threads, which a workflow does not have: it is on in the activities."""
    at, run.at = run.at, {}
    with langsmith.tracing_context(enabled=False):
        running = run.graph.ainvoke(
            given,
            streaming(run.events, run.journal, run.config_at(at), run.graph.store),
            context=run.request.context,
            durability=run.durability,
            control=control,
        )
        return await contained(running)
