"""The workflows of `official.py`, in a file of their own: the sandbox imports this again for every run."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.langgraph import graph


@workflow.defn
class OfficialWorkflow:
    @workflow.run
    async def run(self, question: str) -> str:
        compiled = graph("orders").compile()
        state = await compiled.ainvoke({"messages": [{"role": "user", "content": question}]})
        answer: str = state["messages"][-1].text
        return answer


@workflow.defn
class OfficialChat:
    """Keeps the messages itself: a checkpointer would keep them many times over."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def turn(self, question: str) -> str:
        compiled = graph("chat").compile()
        state = await compiled.ainvoke({"messages": [*self.messages, {"role": "user", "content": question}]})
        self.messages = state["messages"]
        answer: str = self.messages[-1].text
        return answer
