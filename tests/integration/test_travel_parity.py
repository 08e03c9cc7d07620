"""The cases of the parity suite, forked at each of their checkpoints: as plain LangGraph goes on from the same one."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from temporalio.client import Client

from agents import Registry
from agents.agent import Agent, LiveResources
from agents.exchange import graph_input, plain
from agents.graph import compiled_graph
from temporal.client import Agents, Run
from temporal.settings import Settings, WorkerSettings
from temporal.target import Target
from temporal.worker import make_worker
from tests.integration.cases import Point
from tests.integration.parity import CASES
from tests.integration.parity.answers import Verdict
from tests.integration.parity.case import Case
from tests.integration.parity.graphs import Trip
from tests.integration.parity.modes import _models
from tests.integration.parity.watching import without_ids
from workflows.state import RunState

pytestmark = pytest.mark.timeout(300)

THEMES = ("graphs", "edges", "subgraphs", "tools", "middleware", "deep")
LISTS = "values-of-all-kinds"
"""LangGraph's own saver makes lists of tuples."""

FORKED = [
    case
    for case in CASES
    if case.build.__module__.rpartition(".")[2] in (*THEMES, "case")
    and not (case.answer or case.fails or case.called or case.name == LISTS)
]
KEPT = 100


def travelling(case: Case) -> Agent:
    """With the types that its state holds: what is handed from one execution to another must be declared."""
    agent = case.agent()
    return replace(agent, durability="sync", checkpoints=KEPT, types=[*agent.types, Trip, Verdict, Point])


async def plain_forks(case: Case) -> dict[str, Any]:
    """The final state from each checkpoint on, in LangGraph itself."""
    agent, models = travelling(case), _models([case])
    resources = LiveResources(models.__getitem__, list(case.tools), store=(store := InMemoryStore()))
    graph = compiled_graph(agent, resources).copy({"store": store, "checkpointer": InMemorySaver()})
    config = {"configurable": {"thread_id": "plain"}, "recursion_limit": agent.recursion_limit}
    await graph.ainvoke(graph_input(graph, case.given), config, durability="sync")
    found = {}
    for state in [state async for state in graph.aget_state_history(config) if state.next]:
        await graph.ainvoke(None, {**state.config, "recursion_limit": agent.recursion_limit}, durability="sync")
        found[named(state.metadata["step"], state.next)] = shown((await graph.aget_state(config)).values)
    return found


def named(step: int, following: Any) -> str:
    return f"{step} {sorted(following)}"


def shown(values: Any) -> Any:
    return without_ids(plain(values, "state"))


async def forks(agents: Agents, case: Case) -> dict[str, Any]:
    run = await agents.start(case.name, case.given)
    await run.result()
    kept = [each for each in (await run.history()).checkpoints if each.next]
    ended = await asyncio.gather(*(end_of_fork(agents, run, each.checkpoint) for each in kept))
    return {named(each.step, each.next): without_ids(state.values) for each, state in zip(kept, ended, strict=True)}


async def end_of_fork(agents: Agents, run: Run, checkpoint: str) -> RunState:
    fork = await agents.fork(run.id, checkpoint=checkpoint, repeat_effects=True)
    await fork.result()
    return await fork.state()


@pytest.fixture(scope="module")
async def agents(client: Client) -> Any:
    settings = Settings(task_queue=f"travel-{uuid.uuid4().hex[:8]}", worker=WorkerSettings(cached_workflows=50))
    models = _models(FORKED)
    store = InMemoryStore()
    async with make_worker(
        client,
        settings,
        registry=Registry.of([travelling(case) for case in FORKED]),
        model_id=str,
        chat_model=models.__getitem__,
        store=lambda _types, _root: store,
    ):
        yield Agents(client, Target("test", "default", "a test"), settings.task_queue)


@pytest.mark.parametrize("case", FORKED, ids=lambda case: case.name)
async def test_a_fork_at_each_checkpoint_ends_as_in_plain_langgraph(case: Case, agents) -> None:
    assert await forks(agents, case) == await plain_forks(case)
