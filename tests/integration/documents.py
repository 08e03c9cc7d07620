"""What tests of documents share: an open Weaviate, ingestion on a worker of its own, a second embedder."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.embedding import Embedder
from activities.failures import FailureInterceptor
from activities.heartbeats import HeartbeatInterceptor
from activities.ingestion import Ingestion
from activities.lexical import LexicalEmbedder
from activities.retrieval import Retrieval, RetrievalRequest, WeaviateRetriever
from activities.sizes import Limits
from activities.weaviate import Weaviate, WeaviateConnection
from agents import Registry
from temporal.dev.stack import Stack
from temporal.interceptors import GraphInterceptor
from temporal.replay import replay_strictly
from workflows.contracts import INGEST_WORKFLOW, IngestResult
from workflows.graph import Graphs
from workflows.ingestion import IngestWorkflow

INSTALLED = {"kind": "installed"}
NO_GRAPHS = Graphs.of(Registry.of([]), lambda name: name or "none")


class OtherEmbedder:
    """Two dimensions: the length of a text, and one."""

    id = "other-2-v1"
    lexical = False

    async def dimensions(self) -> int:
        return 2

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]


@dataclass(frozen=True)
class Library:
    """Collections, and the means to fill and to search them."""

    client: Client
    weaviate: Weaviate
    embedder: Embedder

    @property
    def retrieval(self) -> Retrieval:
        return Retrieval(self.weaviate, self.embedder)

    def with_embedder(self, embedder: Embedder) -> Library:
        return replace(self, embedder=embedder)

    def retriever(self, collection: str, limit: int = 6) -> WeaviateRetriever:
        return WeaviateRetriever(retrieval=self.retrieval, collection=collection, limit=limit)

    async def search(self, collection: str, query: str, limit: int = 6) -> list[Any]:
        request = RetrievalRequest(collection=collection, query=query, limit=limit)
        return (await self.retrieval.retrieve(request)).documents

    async def ingest(self, collection: str, source: Any) -> IngestResult:
        result, _ = await self.ingest_with_history({"collection": collection, "source": source})
        return result

    async def ingest_with_history(self, request: Any) -> tuple[IngestResult, WorkflowHistory]:
        """The result and the history, which has been replayed strictly."""
        async with self.worker() as queue:
            handle = await self.start(request, queue)
            result = await handle.result()
        history = await handle.fetch_history()
        await replay_strictly(history, NO_GRAPHS)
        return IngestResult.model_validate(result), history

    async def start(self, request: Any, queue: str) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            INGEST_WORKFLOW,
            request,
            id=f"ingest-{uuid.uuid4().hex[:8]}",
            task_queue=queue,
            execution_timeout=timedelta(seconds=120),
        )

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[str]:
        """Its task queue. Each workflow task replays from the start."""
        ingestion = Ingestion(self.weaviate, self.embedder)
        queue = f"test-{uuid.uuid4().hex[:8]}"
        async with Worker(
            self.client,
            task_queue=queue,
            workflows=[IngestWorkflow],
            activities=[
                ingestion.prepare_collection,
                ingestion.list_documents,
                ingestion.ingest_documents,
                ingestion.remove_missing,
            ],
            interceptors=[GraphInterceptor(NO_GRAPHS, Limits()), FailureInterceptor(), HeartbeatInterceptor(1)],
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_cached_workflows=0,
        ):
            yield queue


def connection(stack: Stack) -> WeaviateConnection:
    found = stack.addresses
    key = SecretStr(found.weaviate_api_key) if found.weaviate_api_key else None
    return WeaviateConnection(
        url=found.weaviate_http_url, grpc_host=found.weaviate_grpc_host, grpc_port=found.weaviate_grpc_port, api_key=key
    )


@asynccontextmanager
async def open_library(stack: Stack, client: Client) -> AsyncIterator[Library]:
    async with connection(stack).open() as weaviate:
        yield Library(client, weaviate, LexicalEmbedder())


def fresh_name() -> str:
    return f"test_{uuid.uuid4().hex[:8]}"
