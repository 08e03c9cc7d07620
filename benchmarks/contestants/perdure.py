"""Perdure as `perdure worker` serves it, with its logs and its token log; by default, and in Temporal's sandbox."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from langchain.agents import create_agent
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from activities.sizes import Limits
from agents import Agent, Registry, StepOptions, durable
from benchmarks.chat import ChatModel, order_log
from benchmarks.job import TOOLS, model
from temporal.client import connect
from temporal.converter import DATA_CONVERTER
from temporal.interceptors import GraphInterceptor
from temporal.logs import configure_logging, forwarding_runtime
from temporal.settings import Settings, WorkerSettings
from temporal.storage import find_storage
from temporal.streams import event_transport
from temporal.target import Target
from temporal.worker import WORKFLOWS, make_worker, ready_process, settle_memory
from workflows.graph import Graphs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agents import Resources
    from agents.agent import Graph

LOCAL = StepOptions(timeout=timedelta(seconds=10), local=True)


def build(resources: Resources) -> Graph:
    return create_agent(resources.model("orders"), resources.tools)


def build_chat(resources: Resources) -> Graph:
    return create_agent(resources.model("chat"), resources.tools)


READS = [durable(effect="read")(tool) for tool in TOOLS]
LOGS = [durable(effect="read")(order_log)]
REGISTRY = Registry.of(
    [
        Agent("orders", build, tools=READS),
        Agent("orders-local", build, tools=READS, tool_step=LOCAL),
        Agent("chat", build_chat, tools=LOGS),
        Agent("chat-local", build_chat, tools=LOGS, tool_step=LOCAL),
    ]
)


def model_id(name: str | None) -> str:
    return name or "orders"


@asynccontextmanager
async def opened(address: str, task_queue: str, *, sandbox: bool = False) -> AsyncIterator[None]:
    models = {"orders": model(), "chat": ChatModel()}
    with tempfile.TemporaryDirectory() as state:
        settings = Settings(
            _env_file=None,
            state=Path(state),
            task_queue=task_queue,
            worker=WorkerSettings(sandbox=sandbox),
        )
        configure_logging(settings.log)
        target = Target(address, "default", "the benchmark", storage=find_storage(settings, address, {}))
        client = await connect(target, runtime=forwarding_runtime())
        with event_transport(settings, target.namespace).publishing() as events:
            async with make_worker(
                client,
                settings,
                registry=REGISTRY,
                model_id=model_id,
                chat_model=models.__getitem__,
                events=events,
            ):
                settle_memory()
                yield


@asynccontextmanager
async def opened_sandboxed(address: str, task_queue: str) -> AsyncIterator[None]:
    async with opened(address, task_queue, sandbox=True):
        yield


def replayer() -> Replayer:
    ready_process()
    return Replayer(
        workflows=WORKFLOWS,
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[GraphInterceptor(Graphs.of(REGISTRY, model_id), Limits())],
        data_converter=DATA_CONVERTER,
    )
