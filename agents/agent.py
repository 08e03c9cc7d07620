"""What an agent is: a name, a graph made from resources, and the limits of its steps."""

from __future__ import annotations

import re
from collections.abc import Callable  # noqa: TC003 -- read by whoever asks for the type hints
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from langchain_core.runnables import RunnableLambda
from langgraph.store.memory import InMemoryStore

from agents.approval import Approval, approval_of
from agents.errors import UnknownAgent, UnknownTool, known
from agents.exchange import graph_input, output_of
from agents.graph import compiled_graph
from agents.memory import MEMORIES
from agents.options import StepOptions, tool_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool
    from langgraph.graph.state import StateGraph
    from langgraph.pregel import Pregel
    from langgraph.store.base import BaseStore

    from agents.compaction import Compaction
    from agents.memory import Memory

    # A graph's four type parameters are its author's; nothing here depends on them.
    Graph = Pregel[Any, Any, Any, Any] | StateGraph[Any, Any, Any, Any]

Durability = Literal["exit", "sync"]
DURABILITIES = get_args(Durability)

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")

RESERVED = frozenset(
    {
        "call_model",
        "compact",
        "retrieve",
        "store",
        "prepare_collection",
        "list_documents",
        "ingest_documents",
        "remove_missing",
    }
)
"""Activities of Perdure's own: a tool is an activity that has the tool's name."""


Isolation = Literal["process", "thread", "loop"]
"""Where a tool's body runs: in a process that can be killed, in a thread of its own, or on a loop that tools share."""


class Resources(Protocol):
    """What `Agent.build` is handed: live objects outside a workflow, durable stand-ins inside."""

    @property
    def tools(self) -> list[BaseTool]:
        """The agent's tools, in the order in which it declares them."""

    def model(self, name: str | None = None) -> BaseChatModel:
        """The chat model `name` ("openai:gpt-5-mini"), or the one that the operator configured."""

    def retriever(self, collection: str, *, limit: int = 6) -> BaseRetriever:
        """Hybrid search over `collection`, at most `limit` passages a query."""

    def agent(self, name: str) -> Runnable[Any, Any]:
        """The agent `name`, by the input and the output of its runs. In a workflow, a child workflow of its own."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A named LangGraph graph.

    `build` is called once per worker process and must return the same graph each time. `types` are the
    pydantic models and dataclasses, beside LangChain's own, that tools take and give back. `activity_options` says,
    by the names of the graph's functional tasks, what the metadata of a node say: which run as activities, and how.
    `isolation` says where tools run, all of them or by name; the others run where their kind does. `approve` says which
    calls a person must approve, of tools that do not say it themselves: "always", "never", a CEL expression or an
    `Approval`. `memory` says whose runs share what a run keeps in the store: its user's, its tenant's, or everybody's.
    `compaction` makes the conversations of threads shorter that become long.

    A run keeps its last `checkpoints`: with `durability="exit"` where it stopped to ask, with "sync" after each
    superstep, which costs a tenth of a millisecond and more where the state is large. It is always "sync" where a
    function calls a graph.
    """

    name: str
    build: Callable[[Resources], Graph]
    description: str = ""
    tools: Sequence[BaseTool] = ()
    types: Sequence[type] = ()
    recursion_limit: int = 100
    checkpoints: int = 8
    durability: Durability = "exit"
    model_step: StepOptions = field(default_factory=StepOptions)
    tool_step: StepOptions = field(default_factory=lambda: StepOptions(attempts=3))
    retrieval_step: StepOptions = field(default_factory=lambda: StepOptions(timeout=timedelta(seconds=30)))
    node_step: StepOptions = field(default_factory=lambda: StepOptions(attempts=3))
    activity_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    store_step: StepOptions = field(default_factory=lambda: StepOptions(timeout=timedelta(seconds=30)))
    isolation: Isolation | Mapping[str, Isolation] = field(default_factory=dict)
    approve: str | Approval = "never"
    memory: Memory = "user"
    compaction: Compaction | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"An agent can't be named {self.name!r}: use lower-case letters, digits, '-' and '_', "
                "starting with a letter, 63 at most."
            )
        if self.checkpoints < 1:
            raise ValueError(
                f"Agent {self.name!r} must keep a checkpoint, at least: `checkpoints` is {self.checkpoints}."
            )
        if self.durability not in DURABILITIES:
            raise ValueError(f"Agent {self.name!r}: `durability` is 'exit' or 'sync', and not {self.durability!r}.")
        if self.memory not in MEMORIES:
            raise ValueError(f"Agent {self.name!r}: `memory` is one of {', '.join(MEMORIES)}, and not {self.memory!r}.")
        approval_of(self.approve)
        names = [tool.name for tool in self.tools]
        if taken := RESERVED.intersection(names):
            raise ValueError(f"A tool can't be named {min(taken)!r}: it is an activity of Perdure's own. Rename it.")
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"Agent {self.name!r} has two tools of one name: {sorted(repeated)}. Rename one.")
        for name in self.isolation if not isinstance(self.isolation, str) else ():
            self.tool(name)
        for tool in self.tools:
            options = tool_options(tool)
            options.refuse_local(options.step or self.tool_step, f"Agent {self.name!r}, tool {tool.name!r}")

    def isolation_of(self, tool: str) -> Isolation | None:
        return self.isolation if isinstance(self.isolation, str) else self.isolation.get(tool)

    def tool(self, name: str) -> BaseTool:
        for tool in self.tools:
            if tool.name == name:
                return tool
        raise UnknownTool(f"Agent {self.name!r} has no tool {name!r}. {known(tool.name for tool in self.tools)}")


@dataclass(frozen=True, slots=True)
class LiveResources:
    """Resources that act at once: for notebooks, LangGraph Studio and tests.

    A graph finds `store` where it is compiled with it: `build(resources).compile(store=resources.store)`.
    """

    chat_model: Callable[[str | None], BaseChatModel]
    tools: list[BaseTool] = field(default_factory=list)
    search: Callable[[str, int], BaseRetriever] | None = None
    agents: Sequence[Agent] = ()
    store: BaseStore = field(default_factory=InMemoryStore)

    def model(self, name: str | None = None) -> BaseChatModel:
        return self.chat_model(name)

    def retriever(self, collection: str, *, limit: int = 6) -> BaseRetriever:
        if self.search is None:
            raise LookupError(f"No retriever was given for collection {collection!r}: pass `search=`.")
        return self.search(collection, limit)

    def agent(self, name: str) -> Runnable[Any, Any]:
        for agent in self.agents:
            if agent.name == name:
                return RunnableLambda(partial(run_agent, agent, replace(self, tools=[*agent.tools])))
        raise UnknownAgent(f"Unknown agent {name!r}. {known(agent.name for agent in self.agents)} Pass `agents=`.")


async def run_agent(agent: Agent, resources: LiveResources, given: Any) -> Any:
    """The output of `agent` for the input `given`, here and now."""
    return output_of(await final_state(agent, resources, given))


async def final_state(agent: Agent, resources: LiveResources, given: Any) -> Any:
    graph = compiled_graph(agent, resources).copy({"store": resources.store})
    return await graph.ainvoke(graph_input(graph, given), {"recursion_limit": agent.recursion_limit})
