"""The floor of durability: workflows of the same activities with as little in them as can be, and nothing besides."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from benchmarks import chat
from benchmarks.job import ANSWER, STEPS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMEOUT = timedelta(minutes=1)


@activity.defn
async def step(text: str) -> str:
    return text


@activity.defn
async def ask(text: str) -> str:
    """The model of the chat: to a question the number to look up, to what was found the answer."""
    number = re.findall(r"\d+", text)[0]
    return number if text == chat.question(int(number)) else chat.answer(int(number))


@activity.defn
async def look_up(number: str) -> str:
    return chat.output(int(number))


@workflow.defn
class BareWorkflow:
    @workflow.run
    async def run(self, _question: str) -> str:
        for _ in range(STEPS):
            await workflow.execute_activity(step, "", start_to_close_timeout=TIMEOUT)
        return ANSWER


@workflow.defn
class BareChat:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def turn(self, question: str) -> str:
        number = await workflow.execute_activity(ask, question, start_to_close_timeout=TIMEOUT)
        found = await workflow.execute_activity(look_up, number, start_to_close_timeout=TIMEOUT)
        return await workflow.execute_activity(ask, found, start_to_close_timeout=TIMEOUT)


WORKFLOWS = [BareWorkflow, BareChat]


@asynccontextmanager
async def opened(address: str, task_queue: str, runner: WorkflowRunner | None = None) -> AsyncIterator[None]:
    client = await Client.connect(address)
    async with Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=[step, ask, look_up],
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
    ):
        yield


@asynccontextmanager
async def opened_sandboxed(address: str, task_queue: str) -> AsyncIterator[None]:
    async with opened(address, task_queue, sandbox()):
        yield


def sandbox() -> WorkflowRunner:
    """With all modules passed through: the least that the sandbox costs."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())


def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner())
