"""Fixtures on the real servers."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from temporalio.client import Client, WorkflowHandle, WorkflowHistory

from agents import Agent, Registry
from temporal.converter import DATA_CONVERTER, data_converter, payload_limits
from temporal.dev import dev_server
from temporal.dev.lock import LOCK_NAME, hold_state
from temporal.dev.stack import Stack
from temporal.dev.supervisor import Supervisor
from temporal.replay import replay_strictly, scheduled
from temporal.settings import Settings, WorkerSettings
from temporal.storage import StorageLocation
from temporal.worker import make_worker
from workflows.contracts import AGENT_WORKFLOW
from workflows.graph import Graphs

PATIENCE = timedelta(seconds=60)


@pytest.fixture(scope="session")
async def client(stack: Stack) -> Client:
    return await Client.connect(stack.addresses.temporal_address, data_converter=DATA_CONVERTER)


@asynccontextmanager
async def impatient_client(state: Path, *, events: int) -> AsyncIterator[Client]:
    """A client of a server of its own, which suggests to continue as new after so many events (else 4,096)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(dev_server.DYNAMIC_CONFIG, "limit.historyCount.suggestContinueAsNew", str(events))
        async with hold_state(state) as lock, Supervisor(lock, state / LOCK_NAME) as supervisor:
            server = await dev_server.start_dev_server(supervisor, state, namespace="default", port=None, ui_port=None)
            yield await Client.connect(server.address, data_converter=DATA_CONVERTER)


async def storing_client(stack: Stack, storage: StorageLocation | None) -> Client:
    """A client that keeps large payloads in `storage`."""
    converter = data_converter(storage, "default")
    return await Client.connect(stack.addresses.temporal_address, data_converter=converter)


@pytest.fixture
def storage(tmp_path: Path) -> StorageLocation:
    folder = tmp_path / "storage"
    return StorageLocation(str(folder), folder)


@pytest.fixture
async def storing(stack: Stack, storage: StorageLocation) -> Client:
    return await storing_client(stack, storage)


@dataclass
class Bench:
    """Runs one agent on a worker of its own."""

    client: Client
    agent: Agent
    model: BaseChatModel
    settings: Settings
    activities: list[Any]
    store: Any = None
    others: list[Agent] = field(default_factory=list)
    events: Any = None

    @property
    def registry(self) -> Registry:
        return Registry.of([self.agent, *self.others])

    @property
    def graphs(self) -> Graphs:
        return Graphs.of(self.registry, lambda name: name or "scripted")

    def worker(self) -> Any:
        return make_worker(
            self.client,
            self.settings,
            registry=self.registry,
            model_id=lambda name: name or "scripted",
            chat_model=lambda _id: self.model,
            activities=self.activities,
            store=self.store,
            events=self.events,
        )

    async def start(
        self, given: Any, *, run_id: str | None = None, patience: timedelta = PATIENCE, **fields: Any
    ) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            AGENT_WORKFLOW,
            {"agent": self.agent.name, "input": given, **fields},
            id=run_id or f"{self.agent.name}-{uuid.uuid4().hex[:8]}",
            task_queue=self.settings.task_queue,
            execution_timeout=patience,
        )

    async def run(self, given: Any, *, patience: timedelta = PATIENCE) -> tuple[Any, WorkflowHistory]:
        """The result and the history, which has been replayed strictly."""
        async with self.worker():
            handle = await self.start(given, patience=patience)
            result = await handle.result()
        return result, await self.replayed(handle)

    async def replayed(self, handle: WorkflowHandle[Any, Any]) -> WorkflowHistory:
        history = await handle.fetch_history()
        converter = self.client.data_converter
        limits = payload_limits(converter, most=self.settings.storage.largest)
        await replay_strictly(history, self.graphs, converter=converter, limits=limits)
        return history


def steps(history: WorkflowHistory) -> list[str]:
    return [name for name, _ in scheduled(history)]


@pytest.fixture(params=[0, 100], ids=["cache off", "cache on"])
def cached_workflows(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def bench(client: Client):
    """Makes a bench. The cache is off unless said otherwise, so each workflow task replays from the start."""

    def make(
        agent: Agent,
        model: BaseChatModel,
        *,
        cached: int = 0,
        sandbox: bool = False,
        activities: Any = (),
        others: Any = (),
        store: Any = None,
        on: Client | None = None,
    ) -> Bench:
        settings = Settings(
            task_queue=f"test-{uuid.uuid4().hex[:8]}",
            worker=WorkerSettings(cached_workflows=cached, sandbox=sandbox),
        )
        return Bench(on or client, agent, model, settings, list(activities), store, list(others))

    return make
