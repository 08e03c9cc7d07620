"""A worker process that a test may kill: `python -m tests.integration.isolating ADDRESS QUEUE AGENT`."""

from __future__ import annotations

import asyncio
import sys

from langchain_core.messages import AIMessage
from langchain_core.messages.base import BaseMessage
from pydantic import Field
from temporalio.client import Client

from agents import Registry
from agents.testing import ScriptedModel, call
from temporal.converter import DATA_CONVERTER
from temporal.settings import Settings
from temporal.worker import make_worker
from tests import isolated


class Obedient(ScriptedModel):
    """Calls the tool that it is asked for, `hang /tmp/x one`, and then says `done`."""

    script: list[AIMessage] = Field(default_factory=list)

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        if messages[-1].type != "human":
            return AIMessage(f"done: {messages[-1].text}")
        tool, *given = messages[-1].text.split()
        return call(tool, **dict(word.split("=", 1) for word in given))


async def main(address: str, queue: str, agent: str) -> None:
    worker = make_worker(
        await Client.connect(address, data_converter=DATA_CONVERTER),
        Settings(task_queue=queue),
        registry=Registry.of([getattr(isolated, agent)]),
        model_id=lambda _name: "obedient",
        chat_model=lambda _id: Obedient(),
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
