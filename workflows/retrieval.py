"""DurableRetriever: a retriever whose search is an activity. Runs in workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.retrievers import BaseRetriever

from activities.retrieval import RETRIEVE, RetrievalRequest, RetrievalResponse
from agents.options import step_options
from workflows.run import current_run
from workflows.steps import async_only, execute_step, shorten

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun
    from langchain_core.documents import Document


class DurableRetriever(BaseRetriever):
    collection: str
    limit: int

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        async_only(query, run_manager)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
    ) -> list[Document]:
        run = current_run()
        request = RetrievalRequest(collection=self.collection, query=query, limit=self.limit)
        summary = f"search {self.collection} · “{shorten(query, 60)}”"
        options = step_options(run_manager.metadata, run.agent.retrieval_step)
        response = await execute_step(RETRIEVE, request, RetrievalResponse, options=options, summary=summary)
        run.used(retrievals=1)
        return response.documents
