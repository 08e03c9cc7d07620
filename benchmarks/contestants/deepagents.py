"""Temporal's plugin for Deep Agents, `temporalio-deepagents`, in its default sandbox.

It runs LangChain's own loop in the workflow, with a model and tools that are activities, as Perdure does: so here is
the same `create_agent`, without what `create_deep_agent` would add to each prompt. It has an environment of its own:
see `roster.py`.
"""

from __future__ import annotations

import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from temporalio.client import Client
from temporalio.deepagents import DeepAgentsPlugin
from temporalio.worker import Replayer, Worker

from benchmarks.chat import ChatModel
from benchmarks.contestants.deepagents_workflow import DeepAgentsChat, DeepAgentsWorkflow
from benchmarks.job import model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WORKFLOWS = [DeepAgentsWorkflow, DeepAgentsChat]


def plugin() -> DeepAgentsPlugin:
    # It causes LangChain to warn of each message that it reads: that is not what is measured.
    warnings.simplefilter("ignore")
    models = {"orders": model(), "chat": ChatModel()}
    return DeepAgentsPlugin(model_provider=lambda name: models[name])


@asynccontextmanager
async def opened(address: str, task_queue: str) -> AsyncIterator[None]:
    client = await Client.connect(address, plugins=[plugin()])
    async with Worker(client, task_queue=task_queue, workflows=WORKFLOWS):
        yield


def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, plugins=[plugin()])
