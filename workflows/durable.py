"""What an agent's `build` is handed in a workflow: stand-ins whose call is an activity.

They keep no state and find their run through the workflow, so a graph is built once per process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflows.child import DurableAgent
from workflows.model import DurableModel
from workflows.retrieval import DurableRetriever
from workflows.tool import durable_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import BaseChatModel
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

    from agents.agent import Agent


@dataclass(frozen=True, slots=True)
class DurableResources:
    """Resources for the workflow. `model_id` gives the full id of a model by its name, or of the default one."""

    owner: Agent
    model_id: Callable[[str | None], str]

    @property
    def tools(self) -> list[BaseTool]:
        return [durable_tool(tool, self.owner) for tool in self.owner.tools]

    def model(self, name: str | None = None) -> BaseChatModel:
        return DurableModel(model=self.model_id(name), cache=False)

    def agent(self, name: str) -> Runnable[Any, Any]:
        return DurableAgent(name)

    def retriever(self, collection: str, *, limit: int = 6) -> BaseRetriever:
        return DurableRetriever(collection=collection, limit=limit)
