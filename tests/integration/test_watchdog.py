"""Graph code that computes without end ends its run, and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from temporalio.worker import Worker

from temporal.watchdog import BACKSTOP
from tests.integration.cases import agent_with
from tests.integration.test_agent_workflow import GREETING, failure_of
from tests.integration.test_robustness import of_node


def spin(_state: Any) -> None:
    while True:
        pass


async def spin_politely(_state: Any) -> None:
    while True:
        await asyncio.sleep(0)


def spin_stubbornly(_state: Any) -> None:
    """Catches what it can."""
    for _ in range(2):
        with suppress(Exception):
            spin(_state)


@pytest.mark.parametrize("node", [spin, spin_politely, spin_stubbornly], ids=lambda node: node.__name__)
async def test_a_node_that_never_ends_fails_its_run_and_names_the_line(bench, node) -> None:
    made = bench(of_node(node), GREETING)

    error = await failure_of(made, {"x": 1}, replay=False)

    assert error.type in ("ComputedTooLong", "GraphFailed")
    assert f"Graph code computed for seconds on end inside a workflow ({__file__}:" in error.message


async def test_a_neighbour_of_a_node_that_never_ends_completes(bench) -> None:
    made = bench(of_node(spin), GREETING)
    made.others.append(agent_with())

    async with made.worker():
        stuck = await made.start({"x": 1})
        neighbour = await made.client.execute_workflow(
            "AgentWorkflow",
            {"agent": "worker", "input": "Hi."},
            id=f"{stuck.id}-neighbour",
            task_queue=made.settings.task_queue,
        )
        with pytest.raises(Exception, match="Workflow execution failed"):
            await stuck.result()

    assert neighbour["output"] == "Hello."


async def test_the_limit_of_the_sdk_is_where_it_was(bench) -> None:
    worker: Worker = bench(agent_with(), GREETING).worker()

    assert worker._workflow_worker is not None
    assert worker._workflow_worker._deadlock_timeout_seconds == BACKSTOP
    assert "_deadlock_timeout_seconds" in type(worker._workflow_worker).__init__.__code__.co_names
