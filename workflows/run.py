"""What one run keeps while it lives: its graph and checkpoints, its transcript, what it has used and been asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from agents.errors import FatalError
from agents.graph import calls_graphs
from agents.memory import scope_of
from workflows.calls import Calls
from workflows.contracts import AgentInput, Usage
from workflows.events import RunEvents
from workflows.journal import Journal, superstep_here
from workflows.questions import Questions
from workflows.transcript import TranscriptIndex

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.pregel import Pregel

    from agents.agent import Agent, Durability
    from agents.memory import Scope
    from workflows.checkpoints import WorkflowSaver
    from workflows.saga import Undoing


@dataclass
class Run:
    agent: Agent
    request: AgentInput
    graph: Pregel[Any, Any, Any, Any]
    saver: WorkflowSaver
    transcript: TranscriptIndex = field(default_factory=TranscriptIndex)
    usage: Usage = field(default_factory=Usage)
    asked: dict[str, list[Any]] = field(default_factory=dict)
    """What a node that is an activity has asked by interrupts, and the calls of tools that it had made by then: asking
    again, when it runs again, needs no activity.
    """
    calls: Calls = field(default_factory=Calls)
    events: RunEvents = field(default_factory=RunEvents)
    questions: Questions = field(default_factory=Questions)
    undoings: dict[str, Undoing] = field(default_factory=dict)
    """What is to be undone if the run fails, by key, in the order in which it was done."""
    effects: Counter[str] = field(default_factory=Counter)
    """Calls by tool that took effect, or may have, and can't be undone."""
    journal: Journal = field(default_factory=Journal)
    at: dict[str, Any] = field(default_factory=dict)
    """Where the graph is invoked next, as LangGraph addresses a checkpoint. Nothing: at its newest."""

    @property
    def durability(self) -> Durability:
        """With "exit" LangGraph does not keep how a subgraph ended. A function that calls one and runs again, after a
        question or in a new execution, would run it again as well.
        """
        return "sync" if calls_graphs(self.graph) else self.agent.durability

    @property
    def thread(self) -> str:
        return workflow.info().workflow_id

    @property
    def config(self) -> RunnableConfig:
        parties = {"tenant": self.request.tenant, "user": self.request.user}
        return {
            "configurable": {
                "thread_id": self.thread,
                **{name: party for name, party in parties.items() if party},
            },
            "recursion_limit": self.request.recursion_limit or self.agent.recursion_limit,
        }

    def config_at(self, at: dict[str, Any]) -> RunnableConfig:
        """`config` with the address of a checkpoint."""
        config = self.config
        config["configurable"] = {**config["configurable"], **at}
        return config

    @property
    def scope(self) -> Scope:
        """Whose memories its graph, tools and nodes see. Nothing that graph code can change has a say in it."""
        return scope_of(self.agent.memory, self.request.tenant, self.request.user)

    @property
    def facts(self) -> dict[str, Any]:
        """What rules of approval see of it. Whose run it is its input says, or else its context."""
        context, usage = self.request.context or {}, self.usage
        return {
            "tenant": self.request.tenant or context.get("tenant"),
            "user": self.request.user or context.get("user"),
            "cost": {**usage.model_dump(), "tokens": usage.input_tokens + usage.output_tokens},
        }

    def used(self, **counts: int) -> None:
        usage = Usage(**counts)
        self.usage = self.usage.plus(usage)
        self.journal.used(superstep_here(), usage)
        if "model_calls" in counts:
            self.events.tell("usage", **self.usage.model_dump())


def current_run() -> Run:
    """The run whose graph is asking. The stand-ins find it here, and so one graph serves all runs of a worker."""
    if workflow.in_workflow() and (run := hosted_run()):
        return run
    raise FatalError(
        "A durable model, tool or retriever was called outside a run. "
        "Outside workflows, build the agent with LiveResources."
    )


def hosted_run() -> Run | None:
    """The run of the workflow that is running, where it hosts one."""
    run = getattr(workflow.instance(), "current", None)
    return run if isinstance(run, Run) else None
