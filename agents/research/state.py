"""What the research agent knows while it runs, and gives back."""

from __future__ import annotations

from langgraph.graph import MessagesState

from agents.citation import Citation  # noqa: TC001  LangGraph reads the annotation


class ResearchState(MessagesState):
    """The conversation, and the citations of its last answer."""

    citations: list[Citation]
