"""The workflows of `deepagents.py`, in a file of their own: the sandbox imports this again for every run."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from langchain.agents import create_agent
    from temporalio.deepagents import TemporalModel

    from benchmarks.contestants.deepagents_tools import CHAT_TOOLS, TOOLS


@workflow.defn
class DeepAgentsWorkflow:
    @workflow.run
    async def run(self, question: str) -> str:
        agent: Any = create_agent(TemporalModel(model="orders"), TOOLS)
        state = await agent.ainvoke({"messages": [{"role": "user", "content": question}]})
        answer: str = state["messages"][-1].text
        return answer


@workflow.defn
class DeepAgentsChat:
    """Keeps the messages itself: a checkpointer would keep them many times over."""

    def __init__(self) -> None:
        self.agent: Any = create_agent(TemporalModel(model="chat"), CHAT_TOOLS)
        self.messages: list[Any] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def turn(self, question: str) -> str:
        state = await self.agent.ainvoke({"messages": [*self.messages, {"role": "user", "content": question}]})
        self.messages = state["messages"]
        answer: str = self.messages[-1].text
        return answer
