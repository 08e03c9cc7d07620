"""The floor of durability: a workflow of five activities with tiny payloads, and nothing besides."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.job import ANSWER, STEPS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@activity.defn
async def step(text: str) -> str:
    return text


@workflow.defn
class BareWorkflow:
    @workflow.run
    async def run(self, _question: str) -> str:
        for _ in range(STEPS):
            await workflow.execute_activity(step, "", start_to_close_timeout=timedelta(minutes=1))
        return ANSWER


@asynccontextmanager
async def opened(address: str, task_queue: str) -> AsyncIterator[None]:
    client = await Client.connect(address)
    async with Worker(
        client,
        task_queue=task_queue,
        workflows=[BareWorkflow],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield
