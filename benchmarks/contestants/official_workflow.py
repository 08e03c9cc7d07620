"""The workflow of `official.py`, in a file of its own: the sandbox imports this again for every run."""

from __future__ import annotations

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
