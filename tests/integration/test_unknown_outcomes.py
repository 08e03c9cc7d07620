"""kill -9 of the worker in the middle of payments: each is made once, and nobody pretends to know what came of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from agents.testing import ScriptedModel
from temporal.dev.stack import Stack
from temporal.settings import Settings, WorkerSettings
from tests.integration.conftest import PATIENCE, Bench, steps
from tests.integration.paying import SCRIPT, WAYS, paid, paying
from tests.integration.test_agent_workflow import questions_of
from workflows.contracts import AGENT_WORKFLOW


class Listening(ScriptedModel):
    """Keeps what it was told last, by the question that a conversation began with."""

    heard: dict[str, Any]

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        self.heard[messages[0].text] = messages[-1]
        return super()._answer(messages)


@dataclass
class Killed:
    """A run for each way to pay, whose worker was killed while it paid. Another worker serves them now."""

    bench: Bench
    runs: dict[str, WorkflowHandle[Any, Any]]
    heard: dict[str, Any]
    folder: Path

    def paid(self, way: str) -> list[str]:
        return paid(self.folder, way)

    async def steps(self, way: str) -> list[str]:
        return steps(await self.bench.replayed(self.runs[way]))

    async def question(self, way: str) -> dict[str, Any]:
        [question] = await questions_of(self.runs[way])
        return question

    async def answer(self, way: str, answer: Any) -> None:
        question = await self.question(way)
        await self.runs[way].execute_update("answer", args=[question["id"], answer])


@pytest.fixture(scope="module")
async def killed(client: Client, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Killed]:
    folder, queue = tmp_path_factory.mktemp("paying"), f"paying-{uuid.uuid4().hex[:8]}"
    first, *others = paying(folder)
    model = Listening(script=SCRIPT, heard={})
    settings = Settings(task_queue=queue, worker=WorkerSettings(cached_workflows=0))
    bench = Bench(client, first, model, settings, [], others=others)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.paying", stack.addresses.temporal_address, queue, str(folder)
    )
    runs = {way: await _start(client, queue, way) for way in WAYS}
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not all(paid(folder, way) for way in WAYS):
                await asyncio.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    (folder / "go").touch()
    async with bench.worker():
        yield Killed(bench, runs, model.heard, folder)


async def _start(client: Client, queue: str, way: str) -> WorkflowHandle[Any, Any]:
    given = {"agent": way, "input": way}
    return await client.start_workflow(
        AGENT_WORKFLOW, given, id=f"{queue}-{way}", task_queue=queue, execution_timeout=PATIENCE * 3
    )


async def test_a_person_says_what_came_of_it(killed: Killed) -> None:
    question = await killed.question("undeclared")
    with pytest.raises(Exception, match="Workflow update failed") as refused:
        await killed.answer("undeclared", "perhaps")
    await killed.answer("undeclared", {"outcome": "done", "value": "it was paid"})
    await killed.runs["undeclared"].result()

    [key] = killed.paid("undeclared")
    assert question["value"]["kind"] == "unknown_outcome"
    assert question["value"]["arguments"] == {"amount": 5}
    assert question["value"]["key"] == key
    assert "'done', 'not_done', 'tell_model', 'fail_run'" in str(refused.value.__cause__)
    assert killed.heard["undeclared"].content == "it was paid"
    assert await killed.steps("undeclared") == ["call_model", "pay", "call_model"]


async def test_a_person_says_that_it_was_not_done_and_it_is_done(killed: Killed) -> None:
    await killed.answer("asking", "not_done")
    await killed.runs["asking"].result()

    first, second = killed.paid("asking")
    assert first == second
    assert killed.heard["asking"].content == "paid 5"
    assert await killed.steps("asking") == ["call_model", "pay", "pay", "call_model"]


async def test_the_model_is_told_not_to_repeat_it(killed: Killed) -> None:
    await killed.runs["telling"].result()

    assert len(killed.paid("telling")) == 1
    assert killed.heard["telling"].status == "error"
    assert "its outcome is unknown" in killed.heard["telling"].content
    assert "Do not repeat the call." in killed.heard["telling"].content
    assert await killed.steps("telling") == ["call_model", "pay", "call_model"]


async def test_the_run_fails(killed: Killed) -> None:
    with pytest.raises(WorkflowFailureError) as failed:
        await killed.runs["failing"].result()

    assert len(killed.paid("failing")) == 1
    assert failed.value.cause.type == "OutcomeUnknown"
    assert await killed.steps("failing") == ["call_model", "pay"]


async def test_the_tool_finds_that_it_was_done(killed: Killed) -> None:
    await killed.runs["arrived"].result()

    assert len(killed.paid("arrived")) == 1
    assert killed.heard["arrived"].content == "paid, as the bank says"
    assert await killed.steps("arrived") == ["call_model", "pay", "pay.reconcile", "call_model"]


async def test_the_tool_finds_that_it_was_not_done_and_it_is_done(killed: Killed) -> None:
    await killed.runs["lost"].result()

    first, second = killed.paid("lost")
    assert first == second
    assert killed.heard["lost"].content == "paid 5"
    assert await killed.steps("lost") == ["call_model", "pay", "pay.reconcile", "pay", "call_model"]


async def test_an_idempotent_tool_is_tried_again_with_its_key(killed: Killed) -> None:
    await killed.runs["idempotent"].result()

    first, second = killed.paid("idempotent")
    assert first == second
    assert killed.heard["idempotent"].content == "paid 5"
    assert await killed.steps("idempotent") == ["call_model", "pay", "call_model"]
