"""Readies agents' graphs for the workflow's event loop and runs them. Runs in workflows."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import langsmith
from langgraph.graph.state import StateGraph
from langgraph.pregel import Pregel
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.workflow import ContinueAsNewError, NondeterminismError

from agents.errors import GraphFailed, PerdureError
from workflows.durable import DurableResources
from workflows.steps import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from agents.agent import Agent
    from agents.registry import Registry

MAX_MESSAGE = 2_000
"""Characters of a failure's message; the server cuts failures of more than a few kilobytes."""


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
    return compiled


def with_saver(graph: Pregel[Any, Any, Any, Any], saver: BaseCheckpointSaver[int]) -> Pregel[Any, Any, Any, Any]:
    return graph.copy({"checkpointer": saver})


async def run_graph(graph: Pregel[Any, Any, Any, Any], given: Any, config: RunnableConfig) -> Any:
    """The graph's final state.

    An exception of graph code becomes a failure of the workflow: left alone, it would fail the workflow task, which
    the server retries for ever.
    """
    try:
        # Tracing hops threads, which a workflow does not have. It is on in the activities.
        with langsmith.tracing_context(enabled=False):
            return await graph.ainvoke(given, config, durability="exit")
    except (NondeterminismError, ContinueAsNewError):
        raise
    except Exception as error:
        if is_cancelled_exception(error):
            raise
        raise failure(error) from error


def failure(error: Exception) -> ApplicationError:
    """A failure that names the error by its class, and says where in the graph it came from."""
    if isinstance(error, ApplicationError):
        return error
    known = isinstance(error, PerdureError)
    return ApplicationError(
        _bounded(_said(error) + _place(error)),
        type=type(error).__name__ if known else GraphFailed.__name__,
        non_retryable=True,
    )


def _said(error: Exception) -> str:
    match error:
        case PerdureError():
            return str(error)
        case ActivityError(cause=ApplicationError() as cause):
            return f"{cause.type}: {cause.message} (step {error.activity_type})"
        case ActivityError():
            return f"Step {error.activity_type} failed: {error.cause or error}"
        case _:
            return f"{type(error).__name__}: {error}"


def _place(error: Exception) -> str:
    """LangGraph notes the node on the exceptions that it lets through."""
    notes = getattr(error, "__notes__", [])
    return f" ({shorten(notes[0])})" if notes else ""


def _bounded(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 1]}…"
