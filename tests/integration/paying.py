"""Agents that pay, and a worker process for them that a test may kill:
`python -m tests.integration.paying ADDRESS QUEUE FOLDER`.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, tool

from agents import Agent, Done, Resources, StepOptions, durable, idempotency_key
from agents.testing import ScriptedModel, call
from tests.integration.crashing import serve

SCRIPT = [call("pay", amount=5), AIMessage("That was it.")]
PAYING = StepOptions(attempts=3, heartbeat=timedelta(seconds=2))

WAYS: dict[str, dict[str, Any]] = {
    "undeclared": {},
    "asking": {"when_unknown": "ask_person"},
    "telling": {"when_unknown": "tell_model"},
    "failing": {"when_unknown": "fail_run"},
    "arrived": {"reconcile": lambda _key: Done("paid, as the bank says")},
    "lost": {"reconcile": lambda _key: "not_done"},
    "idempotent": {"effect": "idempotent"},
}


def paying(folder: Path) -> list[Agent]:
    """One agent for each way to pay. A payment writes its key to a file of the way's name, and waits for `go`."""
    return [Agent(way, build, tools=[payment(folder, way)], tool_step=PAYING) for way in WAYS]


def build(resources: Resources) -> Any:
    return create_agent(resources.model(), resources.tools)


def payment(folder: Path, way: str) -> BaseTool:
    @durable(**WAYS[way])
    @tool
    async def pay(amount: int) -> str:
        """Pay."""
        with (folder / way).open("a") as opened:
            opened.write(f"{idempotency_key()}\n")
        while not (folder / "go").exists():
            await asyncio.sleep(0.05)
        return f"paid {amount}"

    return pay


def paid(folder: Path, way: str) -> list[str]:
    """The keys of the payments."""
    file = folder / way
    return file.read_text().splitlines() if file.exists() else []


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], paying(Path(sys.argv[3])), ScriptedModel(script=SCRIPT)))
