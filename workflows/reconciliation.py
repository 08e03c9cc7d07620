"""Asks a tool what became of a call. Runs in workflows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from activities.effects import EffectRequest, EffectResponse, reconciling
from workflows.steps import execute_step

if TYPE_CHECKING:
    from agents.agent import Agent
    from agents.options import StepOptions

ATTEMPTS = 5


async def reconcile(agent: Agent, tool: str, key: str, step: StepOptions) -> EffectResponse:
    """An activity of its own, `<tool>.reconcile`. Where it fails itself, the outcome stays unknown."""
    options = replace(step, attempts=ATTEMPTS, local=False, summary=None)
    request = EffectRequest(agent=agent.name, tool=tool, key=key)
    return await execute_step(reconciling(tool), request, EffectResponse, options=options, summary=key)
