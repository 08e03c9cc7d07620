"""Records the histories anew: `python -m tests.replay.record`. Do it when the order of commands changes; say why."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from temporalio import activity
from temporalio.client import Client, WorkflowHandle

from activities.retrieval import RETRIEVE, RetrievalRequest, RetrievalResponse
from agents.testing import ScriptedModel
from temporal.converter import DATA_CONVERTER
from temporal.dev.stack import open_stack
from temporal.settings import Settings
from tests.integration.cases import Case
from tests.integration.conftest import Bench
from tests.integration.threads import Strict, begin
from tests.replay.cases import RECORDED, THREAD
from tests.replay.test_recorded import HISTORIES


@activity.defn(name=RETRIEVE)
async def retrieve(_request: RetrievalRequest) -> RetrievalResponse:
    metadata = {"document": "handbook", "source": "handbook", "section": "Queues", "start": 0, "end": 33, "score": 1.0}
    passage = Document(id="5d1c0f8e-0000-5000-8000-000000000000", page_content="A task queue is a queue of tasks.")
    passage.metadata.update(metadata)
    return RetrievalResponse(documents=[passage])


async def record(name: str, case: Case, client: Client) -> None:
    bench = Bench(client, case.agent, ScriptedModel(script=case.script), Settings(task_queue=name), [retrieve])
    async with bench.worker():
        handle = await bench.start(case.given, run_id=name)
        await handle.result()
    await write(name, handle)


async def record_thread(client: Client) -> None:
    name = THREAD.agent.name
    bench = Bench(client, THREAD.agent, Strict(), Settings(task_queue=name), [])
    async with bench.worker():
        talk = await begin(bench, thread_id=name)
        for turn in THREAD.given:
            await talk.say(turn)
        await talk.close()
    await write(name, talk.handle)


async def write(name: str, handle: WorkflowHandle[Any, Any]) -> None:
    history = (await handle.fetch_history()).to_json()
    anonymous = re.sub(r"\d+@[\w.-]+", "recorder", history)
    (HISTORIES / f"{name}.json").write_text(json.dumps(json.loads(anonymous), indent=1) + "\n")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_stack(Path(folder)) as stack:
            client = await Client.connect(stack.addresses.temporal_address, data_converter=DATA_CONVERTER)
            for name, case in RECORDED.items():
                await record(name, case, client)
            await record_thread(client)


if __name__ == "__main__":
    asyncio.run(main())
