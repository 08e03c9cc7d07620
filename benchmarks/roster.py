"""Who takes part, and what each is started with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.job import QUESTION

MODULES = "benchmarks.contestants"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """`opens` names the async context manager that readies it. Without a `workflow` its process drives itself."""

    name: str
    about: str
    opens: str
    workflow: str | None = None
    request: Any = QUESTION


IN_MEMORY = Contestant(
    name="langgraph",
    about="plain LangGraph, `create_agent` with `InMemorySaver`: the floor where nothing is durable",
    opens=f"{MODULES}.in_memory:opened",
)
BARE = Contestant(
    name="bare workflow",
    about="a Temporal workflow of five empty activities, without sandbox: the floor of durability",
    opens=f"{MODULES}.bare:opened",
    workflow="BareWorkflow",
)
PERDURE = Contestant(
    name="perdure",
    about=(
        "the same `create_agent` as a Perdure agent, with the settings, the log and the token log of `perdure worker`"
    ),
    opens=f"{MODULES}.perdure:opened",
    workflow="AgentWorkflow",
    request={"agent": "orders", "input": QUESTION},
)
SANDBOXED = Contestant(
    name="perdure, sandboxed",
    about="with `PERDURE_WORKER__SANDBOX=true`",
    opens=f"{MODULES}.perdure:opened_sandboxed",
    workflow="AgentWorkflow",
    request=PERDURE.request,
)
OFFICIAL = Contestant(
    name="temporalio-langgraph",
    about="Temporal's plugin, in its default sandbox: the same loop as a hand-written `StateGraph`",
    opens=f"{MODULES}.official:opened",
    workflow="OfficialWorkflow",
)

ROSTER = (IN_MEMORY, BARE, PERDURE, SANDBOXED, OFFICIAL)
