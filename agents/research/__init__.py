"""The agent `research`: answers a question from a collection of documents, and cites what it says."""

from agents.agent import Agent
from agents.research.graph import build

agent = Agent(
    "research",
    build,
    description="Answers questions from the collection `docs`, with citations of document, section and quoted span.",
)

__all__ = ["agent"]
