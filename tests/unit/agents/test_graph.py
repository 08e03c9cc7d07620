"""Which functional tasks a graph's functions call."""

from __future__ import annotations

import pytest
from langgraph.func import entrypoint, task

from agents import Agent
from agents.graph import activity_parts


@task
def price(article: str) -> int:
    return len(article)


@entrypoint()
async def listed(articles: list[str]) -> list[int]:
    return [await price(article) for article in articles]


@entrypoint()
async def within(articles: list[str]) -> int:
    async def first() -> int:
        return await price(articles[0])

    return await first()


@pytest.mark.parametrize("graph", [listed, within], ids=lambda graph: next(iter(graph.nodes)))
def test_a_task_is_found_where_a_comprehension_or_an_inner_function_calls_it(graph) -> None:
    agent = Agent("prices", lambda _resources: graph, activity_options={"price": {"execute_in": "activity"}})

    assert list(activity_parts(agent, graph)) == ["price"]
