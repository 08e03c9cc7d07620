"""The agents a process knows: those that installed packages offer by the entry-point group `perdure.agents`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from agents.agent import Agent
from agents.errors import UnknownAgent, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

GROUP = "perdure.agents"


@dataclass(frozen=True, slots=True)
class Registry:
    agents: Mapping[str, Agent]

    @classmethod
    def of(cls, agents: Iterable[Agent]) -> Registry:
        found: dict[str, Agent] = {}
        for agent in agents:
            if agent.name in found:
                raise ValueError(f"Two agents are named {agent.name!r}. Rename one, or uninstall its package.")
            found[agent.name] = agent
        return cls(found)

    @classmethod
    def installed(cls) -> Registry:
        return cls.of(_load_installed())

    def __getitem__(self, name: str) -> Agent:
        try:
            return self.agents[name]
        except KeyError:
            raise UnknownAgent(f"Unknown agent {name!r}. {known(self.agents)}") from None

    def __iter__(self) -> Iterator[Agent]:
        return iter(self.agents.values())


def _load_installed() -> Iterator[Agent]:
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        agent = entry.load()
        if not isinstance(agent, Agent):
            raise TypeError(
                f"Entry point {entry.name!r} of group {GROUP!r} is {entry.value!r}, "
                f"a {type(agent).__name__} where an agents.Agent is expected."
            )
        yield agent
