"""`perdure agents`."""

from __future__ import annotations

from rich.console import Console

from agents.registry import GROUP, Registry


def show_agents() -> None:
    console = Console(highlight=False)
    agents = list(Registry.installed())
    if not agents:
        console.print(f"No agent is installed. A package offers one by the entry-point group {GROUP!r}.")
    for agent in agents:
        console.print(agent.name, style="bold")
        if agent.description:
            console.print(f"  {agent.description}", markup=False, soft_wrap=True)
        tools = ", ".join(tool.name for tool in agent.tools)
        if tools:
            console.print(f"  Tools: {tools}", markup=False, soft_wrap=True)
