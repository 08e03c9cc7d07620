"""Finds the agent, builds its graph twice, and tells its nodes and its shape."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langgraph.constants import START
from langgraph.pregel import Pregel

from agents.agent import Agent
from agents.errors import InvalidInput
from agents.graph import function_of, runs_in_activity
from agents.registry import Registry
from temporal.checking.record import Built, Place
from temporal.checking.rendering import rendered
from workflows.graph import Graphs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.graph import AnyGraph

MODEL = "exploring"


@dataclass(frozen=True, slots=True)
class Subject:
    """The agent that is checked, the agents that it may call, and the graphs of all of them as workers make them."""

    agent: Agent
    registry: Registry
    graphs: Graphs

    @classmethod
    def of(cls, reference: str) -> Subject:
        agent, registry = find(reference)
        return cls(agent, registry, Graphs.of(registry, model_name))

    @property
    def graph(self) -> AnyGraph:
        return self.graphs.compiled[self.agent.name]


def find(reference: str) -> tuple[Agent, Registry]:
    """The agent, and all that it may call. `reference` is an installed agent's name, or `module:attribute`."""
    module, colon, attribute = reference.partition(":")
    installed = Registry.installed()
    if not colon:
        return installed[reference], installed
    try:
        agent = getattr(importlib.import_module(module), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and not module.startswith(str(error.name)):
            raise
        raise InvalidInput(f"There is no agent {reference!r}: {error}.") from None
    if not isinstance(agent, Agent):
        raise InvalidInput(f"{reference!r} is a {type(agent).__name__} where an agents.Agent is expected.")
    return agent, Registry.of([agent, *(other for other in installed if other.name != agent.name)])


def model_name(name: str | None) -> str:
    return name or MODEL


def built(subject: Subject) -> Built:
    agent, graph = subject.agent, subject.graph
    return Built(places=list(_places(agent, graph, "")), shape=shape(graph), build_line=definition(agent.build))


def definition(function: Any) -> str | None:
    """Where a function stands."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code else None


def shape(graph: AnyGraph) -> Any:
    """What must be the same each time that the graph is built."""
    builder = getattr(graph, "builder", None)
    return {
        "nodes": {
            name: {
                "triggers": sorted(node.triggers),
                "channels": rendered(node.channels),
                "metadata": rendered({key: str(value) for key, value in (node.metadata or {}).items()}),
                "graph": shape(node.bound) if isinstance(node.bound, Pregel) else None,
            }
            for name, node in graph.nodes.items()
        },
        "order": list(graph.nodes),
        "channels": sorted(graph.channels),
        "edges": sorted(map(str, getattr(builder, "edges", ()))),
        "branches": {name: sorted(branches) for name, branches in getattr(builder, "branches", {}).items()},
    }


def _places(agent: Agent, graph: AnyGraph, prefix: str) -> Iterator[Place]:
    for name, node in graph.nodes.items():
        if name == START:
            continue
        path = prefix + name
        in_activity = runs_in_activity(agent, path, node.metadata)
        yield Place(path=path, line=definition(function_of(node.bound)), in_activity=in_activity)
        if isinstance(node.bound, Pregel) and not in_activity:
            yield from _places(agent, node.bound, f"{path}.")
