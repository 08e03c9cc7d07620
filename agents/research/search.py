"""The tool `search`: runs where the graph runs; only the retriever's call goes outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.documents import Document  # noqa: TC002  the tool's schema is made from the annotations
from langchain_core.tools import StructuredTool

from agents.passage import render

if TYPE_CHECKING:
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.tools import BaseTool

NOTHING_FOUND = "No passage was found. Search again with other words."


def search_tool(retriever: BaseRetriever) -> BaseTool:
    """Its content is the passages as text, each headed by its marker; its artifact is the documents."""

    async def search(query: str) -> tuple[str, list[Document]]:
        """Search the documents for passages about `query`: a few words that the answer would contain."""
        documents = await retriever.ainvoke(query)
        return render(documents) or NOTHING_FOUND, documents

    return StructuredTool.from_function(coroutine=search, response_format="content_and_artifact")
