"""A worker process that a test may kill: `python -m tests.integration.crashing ADDRESS QUEUE FOLDER`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from temporalio.client import Client

from agents import Agent, Registry, Resources, StepOptions, durable
from agents.testing import ScriptedModel, call
from temporal.converter import DATA_CONVERTER
from temporal.settings import Settings
from temporal.worker import make_worker

ANSWER = "Counted, then waited."
SCRIPT = [call("count", "one"), call("wait", "two"), AIMessage(ANSWER)]


def made(folder: Path) -> tuple[Agent, ScriptedModel]:
    """An agent and its model that write each call to `calls`. The tool `wait` does not end before `go` is there."""

    def note(what: str) -> None:
        with (folder / "calls").open("a") as file:
            file.write(f"{what}\n")

    @tool
    def count() -> str:
        """Count."""
        note("count")
        return "1"

    @durable(effect="read")
    @tool
    def wait() -> str:
        """Wait."""
        note("wait")
        while not (folder / "go").exists():
            time.sleep(0.05)
        return "waited"

    class Noting(ScriptedModel):
        def _answer(self, messages: Any) -> AIMessage:
            note("model")
            return super()._answer(messages)

    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools)

    options = StepOptions(attempts=3, heartbeat=timedelta(seconds=2))
    return Agent("crashing", build, tools=[count, wait], tool_step=options), Noting(script=SCRIPT)


async def serve(address: str, queue: str, agents: Sequence[Agent], model: ScriptedModel) -> None:
    worker = make_worker(
        await Client.connect(address, data_converter=DATA_CONVERTER),
        Settings(task_queue=queue),
        registry=Registry.of(agents),
        model_id=lambda _name: "scripted",
        chat_model=lambda _id: model,
    )
    await worker.run()


async def main(address: str, queue: str, folder: Path) -> None:
    agent, model = made(folder)
    await serve(address, queue, [agent], model)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
