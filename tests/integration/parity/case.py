"""A case of the parity suite: a graph, what it is given, and what its models and its people answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from agents import Agent, Resources
from agents.testing import ScriptedModel

Script = Sequence[AIMessage]


@dataclass(frozen=True)
class Case:
    """`script` is that of the default model, `models` are others by name. `answer` gives a person's answer to the value
    of an interrupt. `options` are further arguments of `Agent`. `called` are agents that this one may call. `steps` are
    the activities of the run, in any order. `fails` says that plain LangGraph raises, and how that reads.
    """

    name: str
    build: Callable[[Resources], Any]
    given: Any
    script: Script = ()
    tools: Sequence[Any] = ()
    models: Mapping[str, Any] = field(default_factory=dict)
    answer: Callable[[Any], Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    called: Sequence[Case] = ()
    steps: Sequence[str] | None = None
    fails: str = ""

    def agent(self) -> Agent:
        return Agent(self.name, self._build, tools=self.tools, **self.options)

    def scripted(self) -> dict[str, Any]:
        """Its models, by names that no other case has."""
        models = {self.name: ScriptedModel(script=list(self.script))}
        for name, model in self.models.items():
            made = model if isinstance(model, BaseChatModel) else ScriptedModel(script=list(model))
            models[f"{self.name}/{name}"] = made
        return models

    def _build(self, resources: Resources) -> Any:
        return self.build(CaseResources(self.name, resources))


@dataclass(frozen=True)
class CaseResources:
    """Gives each case models of its own: the agents of a worker share one default model."""

    case: str
    given: Resources

    @property
    def tools(self) -> list[Any]:
        return self.given.tools

    def model(self, name: str | None = None) -> BaseChatModel:
        return self.given.model(f"{self.case}/{name}" if name else self.case)

    def agent(self, name: str) -> Runnable[Any, Any]:
        return self.given.agent(name)


def reacting(**options: Any) -> Callable[[Resources], Any]:
    """Builds LangChain's agent with the case's model and tools."""

    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools, **options)

    return build
