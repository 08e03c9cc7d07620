"""Who takes part, and what each is started with."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.job import QUESTION
from workflows.turns import THREAD_WORKFLOW

MODULES = "benchmarks.contestants"

DEEPAGENTS_PYTHON = Path(sys.prefix, "deepagents", "bin", "python")
"""It can't be installed beside Perdure: `make bench` gives it an environment of its own."""


@dataclass(frozen=True)
class Start:
    """A workflow, and its arguments."""

    workflow: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """`opens` names the async context manager that readies it, `replays` the function that makes its `Replayer`.

    `job` is how the job is started, `chat` a chat. Without a `job` its process drives itself. `python` is the
    interpreter of its environment.
    """

    name: str
    about: str
    opens: str
    replays: str | None = None
    job: Start | None = None
    chat: Start | None = None
    python: Path = Path(sys.executable)

    @property
    def task_queue(self) -> str:
        return self.name.replace(", ", "-").replace(" ", "-")


def agent(name: str, given: Any) -> Start:
    return Start("AgentWorkflow", ({"agent": name, "input": given},))


def thread(name: str, **more: Any) -> Start:
    return Start(THREAD_WORKFLOW, ({"agent": name, **more},))


def in_one_execution(contestant: Contestant, about: str, *, name: str | None = None) -> Contestant:
    """Its chat, which never continues as new by itself."""
    assert contestant.chat is not None  # noqa: S101 -- it holds one
    chat = replace(contestant.chat, arguments=({**contestant.chat.arguments[0], "events": 10**9},))
    return replace(contestant, name=name or contestant.name, about=about, chat=chat)


IN_MEMORY = Contestant(
    name="langgraph",
    about="plain LangGraph, `create_agent` with `InMemorySaver`: the floor where nothing is durable",
    opens=f"{MODULES}.in_memory:opened",
)
BARE = Contestant(
    name="bare workflow",
    about=(
        "a Temporal workflow that calls as many activities with hardly anything in them, without sandbox: the floor of "
        "durability"
    ),
    opens=f"{MODULES}.bare:opened",
    replays=f"{MODULES}.bare:replayer",
    job=Start("BareWorkflow", (QUESTION,)),
    chat=Start("BareChat"),
)
BARE_SANDBOXED = Contestant(
    name="bare workflow, sandboxed",
    about="the same in Temporal's sandbox, in which workers run workflows by default, with all modules passed through",
    opens=f"{MODULES}.bare:opened_sandboxed",
    job=BARE.job,
)
BY_HAND = Contestant(
    name="loop by hand",
    about=(
        "a bare workflow, sandboxed in the same way, that calls the same model and the same tools in activities, by "
        "LangChain's own means: what one writes without a framework"
    ),
    opens=f"{MODULES}.by_hand:opened",
    job=Start("LoopWorkflow", (QUESTION,)),
)
PERDURE = Contestant(
    name="perdure",
    about=(
        "the same `create_agent` as a Perdure agent, with the settings, the log and the token log of `perdure worker`"
    ),
    opens=f"{MODULES}.perdure:opened",
    replays=f"{MODULES}.perdure:replayer",
    job=agent("orders", QUESTION),
    chat=thread("chat"),
)
LOCAL = Contestant(
    name="perdure, local tools",
    about="with `tool_step=StepOptions(local=True)`, which is for tools that only read, quickly",
    opens=PERDURE.opens,
    replays=PERDURE.replays,
    job=agent("orders-local", QUESTION),
    chat=thread("chat-local"),
)
SANDBOXED = Contestant(
    name="perdure, sandboxed",
    about="with `PERDURE_WORKER__SANDBOX=true`",
    opens=f"{MODULES}.perdure:opened_sandboxed",
    job=PERDURE.job,
)
OFFICIAL = Contestant(
    name="temporalio-langgraph",
    about="Temporal's plugin, in its default sandbox: the same loop as a hand-written `StateGraph`",
    opens=f"{MODULES}.official:opened",
    replays=f"{MODULES}.official:replayer",
    job=Start("OfficialWorkflow", (QUESTION,)),
    chat=Start("OfficialChat"),
)
DEEPAGENTS = Contestant(
    name="temporalio-deepagents",
    about=(
        "Temporal's plugin for Deep Agents, in its default sandbox: the same `create_agent` with its model and its "
        "tools. It refuses the versions of `langsmith` and `tenacity` that the others run with, so it has an "
        "environment of its own, with the same versions of all else that they share"
    ),
    opens=f"{MODULES}.deepagents:opened",
    replays=f"{MODULES}.deepagents:replayer",
    job=Start("DeepAgentsWorkflow", (QUESTION,)),
    chat=Start("DeepAgentsChat"),
    python=DEEPAGENTS_PYTHON,
)

ROSTER = (IN_MEMORY, BARE, BARE_SANDBOXED, BY_HAND, PERDURE, LOCAL, SANDBOXED, OFFICIAL, DEEPAGENTS)
PEERS = (OFFICIAL, DEEPAGENTS)
