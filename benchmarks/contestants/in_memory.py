"""Plain LangGraph with its saver in memory: what the job costs where nothing is durable."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver

from benchmarks.job import QUESTION, TOOLS, model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langchain_core.runnables import RunnableConfig

    from benchmarks.load import Run


@asynccontextmanager
async def opened(_address: str, _task_queue: str) -> AsyncIterator[Run]:
    graph: Any = create_agent(model(), TOOLS, checkpointer=InMemorySaver())

    async def run(identifier: str) -> Any:
        config: RunnableConfig = {"configurable": {"thread_id": identifier}}
        state = await graph.ainvoke({"messages": [{"role": "user", "content": QUESTION}]}, config)
        return state["messages"][-1].text

    yield run
