"""Large payloads by reference, on the real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from temporalio.client import Client, WorkflowHistory

from agents import Agent, Resources
from agents.testing import ScriptedModel, call
from temporal.dev.stack import Stack
from temporal.storage import StorageLocation
from tests.integration.conftest import steps, storing_client

MEGABYTE = 1024 * 1024


@pytest.fixture
def storage(tmp_path: Path) -> StorageLocation:
    folder = tmp_path / "storage"
    return StorageLocation(str(folder), folder)


@pytest.fixture
async def storing(stack: Stack, storage: StorageLocation) -> Client:
    return await storing_client(stack, storage)


def size_of(history: WorkflowHistory) -> int:
    return sum(event.ByteSize() for event in history.events)


@tool
def export(megabytes: float, mark: str = "x") -> str:
    """Export so many megabytes."""
    return mark * int(megabytes * MEGABYTE)


def reacting() -> Agent:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools)

    return Agent("exporting", build, tools=[export])


async def test_a_tool_gives_back_64_megabytes(bench, storing):
    model = ScriptedModel(script=[call("export", megabytes=64), AIMessage("There.")])

    result, history = await bench(reacting(), model, on=storing).run("Export it all.")

    assert result["output"] == "There."
    assert steps(history) == ["call_model", "export", "call_model"]
    assert size_of(history) < 20_000
