"""A worker process that dies in a tool: `python -m tests.integration.dying ADDRESS QUEUE FOLDER`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from agents import Agent, Done, Resources, durable, idempotency_key
from agents.testing import ScriptedModel
from tests.integration.crashing import serve

NODE = {"execute_in": "activity", "heartbeat_timeout": timedelta(seconds=2)}


def made(folder: Path) -> list[Agent]:
    """Agents whose node is an activity, and calls `count` and then a tool that kills its worker when it has paid.

    `count` can be undone, what pays in one of them.
    """

    def note(what: str) -> None:
        with (folder / "calls").open("a") as file:
            file.write(f"{what} {idempotency_key()}\n")

    def look_up(key: str) -> Any:
        return Done("paid") if key in (folder / "calls").read_text() else "not_done"

    def undo(result: str, key: str) -> None:
        with (folder / "calls").open("a") as file:
            file.write(f"undo {result} {key}\n")

    @durable(compensate=undo)
    @tool
    def count() -> str:
        """Count."""
        note("count")
        return "1"

    async def pay() -> str:
        """Pay."""
        note("pay")
        os.kill(os.getpid(), signal.SIGKILL)
        return "never"

    def build(resources: Resources) -> Any:
        counting, paying = resources.tools

        async def settle(_state: MessagesState) -> Any:
            return {"messages": [("ai", f"{await counting.ainvoke({})}, {await paying.ainvoke({})}")]}

        graph = StateGraph(MessagesState)
        graph.add_node("settle", settle, metadata=NODE)
        graph.add_edge(START, "settle")
        return graph

    return [
        Agent("finding", build, tools=[count, durable(reconcile=look_up)(tool(pay))]),
        Agent("approving", build, tools=[count, durable(effect="destructive", reconcile=look_up)(tool(pay))]),
        Agent("losing", build, tools=[count, tool(pay)]),
        Agent("undoing", build, tools=[count, durable(compensate=undo)(tool(pay))]),
    ]


async def main(address: str, queue: str, folder: Path) -> None:
    await serve(address, queue, made(folder), ScriptedModel(script=[]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
