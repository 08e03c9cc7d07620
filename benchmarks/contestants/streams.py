"""Workers whose models stream, each token with the time at which it was said: over both transports of Perdure, and over
Temporal's workflow streams.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import START, MessagesState, StateGraph
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.workflow_streams import WorkflowStream, WorkflowStreamClient
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.event_log import EventLog
from activities.event_server import EventServer
from agents import Agent, Registry
from temporal.client import connect
from temporal.logs import configure_logging, forwarding_runtime
from temporal.settings import LogSettings, Settings
from temporal.target import Target
from temporal.worker import make_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from activities.publishing import EventTransport
    from agents import Resources

TOKENS = 100
PAUSE = 0.02
TOPIC = "tokens"
FLUSH = timedelta(milliseconds=50)
URL = "BENCHMARK_EVENTS"
"""The variable with the URL of the Redis server."""


async def _said() -> AsyncIterator[str]:
    for _ in range(TOKENS):
        yield f"{time.time():.6f} "
        await asyncio.sleep(PAUSE)


class Clock(BaseChatModel):
    """Says what time it is, again and again."""

    @property
    def _llm_type(self) -> str:
        return "clock"

    def _generate(self, *_args: Any, **_options: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(""))])

    async def _astream(self, *_args: Any, **_options: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for text in _said():
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))


def build(resources: Resources) -> StateGraph[Any, Any, Any, Any]:
    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await resources.model().ainvoke(state["messages"])]}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    return graph


def embedded(state: Path) -> EventTransport:
    return EventLog(state / "events.db")


def server() -> EventTransport:
    return EventServer(os.environ[URL], prefix="benchmark:", keep=600)


@asynccontextmanager
async def opened_embedded(address: str, task_queue: str) -> AsyncIterator[None]:
    async with _opened(address, task_queue, embedded(Path(tempfile.gettempdir()))):
        yield


@asynccontextmanager
async def opened_server(address: str, task_queue: str) -> AsyncIterator[None]:
    async with _opened(address, task_queue, server()):
        yield


@asynccontextmanager
async def _opened(address: str, task_queue: str, transport: EventTransport) -> AsyncIterator[None]:
    configure_logging(LogSettings())
    client = await connect(Target(address, "default", "the benchmark"), runtime=forwarding_runtime())
    with transport.publishing() as events:
        async with make_worker(
            client,
            Settings(_env_file=None, task_queue=task_queue),
            registry=Registry.of([Agent("clock", build)]),
            model_id=lambda _name: "clock",
            chat_model=lambda _id: Clock(),
            events=events,
        ):
            yield


@activity.defn
async def speak() -> None:
    async with WorkflowStreamClient.from_within_activity(batch_interval=FLUSH) as stream:
        topic = stream.topic(TOPIC, type=str)
        async for text in _said():
            topic.publish(text)


@workflow.defn
class SpeakingWorkflow:
    @workflow.init
    def __init__(self) -> None:
        self._stream = WorkflowStream()

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(speak, start_to_close_timeout=timedelta(minutes=1))
        # watchers poll by updates, which a workflow that has ended does not answer
        await workflow.sleep(1)


@asynccontextmanager
async def opened_workflow_streams(address: str, task_queue: str) -> AsyncIterator[None]:
    async with Worker(
        await Client.connect(address),
        task_queue=task_queue,
        workflows=[SpeakingWorkflow],
        activities=[speak],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield
