"""The agent `support`: answers customers from the collection `docs`, looks their orders up, and pays money back when a
person approves.
"""

from agents.agent import Agent
from agents.support.graph import build
from agents.support.tools import TOOLS

agent = Agent(
    "support",
    build,
    tools=TOOLS,
    description="Answers from the collection `docs`, looks up orders of a small shop, refunds with approval.",
)

__all__ = ["agent"]
