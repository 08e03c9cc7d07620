"""IngestWorkflow: fills a collection from a source, in batches. Deterministic: all I/O is in its activities."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from activities.collection import CollectionIdentity
from activities.ingestion import (
    INGEST_DOCUMENTS,
    LIST_DOCUMENTS,
    PREPARE_COLLECTION,
    REMOVE_MISSING,
    DocumentList,
    IngestRequest,
    IngestResponse,
    ListRequest,
    Outcome,
    PrepareRequest,
    RemoveRequest,
    RemoveResponse,
)
from workflows.contracts import (
    INGEST_WORKFLOW,
    IngestInput,
    IngestProgress,
    IngestResult,
    QuarantinedDocument,
    explain,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Response = TypeVar("Response")

BATCH = 10
AT_ONCE = 4
EXAMPLE = '{"collection": "docs", "source": {"kind": "installed"}}'
RETRIES = RetryPolicy(maximum_attempts=6, maximum_interval=timedelta(seconds=30))


@workflow.defn(name=INGEST_WORKFLOW)
class IngestWorkflow:
    def __init__(self) -> None:
        self._listed = 0
        self._outcomes: list[Outcome] = []

    # `Any`: what a client sent is checked here, where a mistake fails the run instead of its first task.
    @workflow.run
    async def run(self, request: Any = None) -> IngestResult:
        ingestion = _checked(request)
        identity = await self._step(
            PREPARE_COLLECTION,
            PrepareRequest(collection=ingestion.collection),
            CollectionIdentity,
            f"collection {ingestion.collection}",
        )
        listed = await self._step(
            LIST_DOCUMENTS, ListRequest(source=ingestion.source), DocumentList, _described(ingestion)
        )
        self._listed = len(listed.documents)
        await self._ingest(ingestion, listed.documents)
        removed = await self._step(
            REMOVE_MISSING,
            RemoveRequest(collection=ingestion.collection, source=ingestion.source),
            RemoveResponse,
            "documents that are gone",
        )
        return self._result(identity, removed)

    @workflow.query
    def progress(self) -> IngestProgress:
        return IngestProgress(
            listed=self._listed,
            done=len(self._outcomes),
            chunks=sum(outcome.chunks for outcome in self._with("ingested")),
            quarantined=len(self._with("quarantined")),
        )

    async def _ingest(self, ingestion: IngestInput, documents: Sequence[str]) -> None:
        """All batches, a few at once."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def ingest(batch: list[str]) -> None:
            async with slots:
                request = IngestRequest(collection=ingestion.collection, source=ingestion.source, documents=batch)
                response = await self._step(INGEST_DOCUMENTS, request, IngestResponse, _named(batch))
            self._outcomes += response.outcomes

        async with asyncio.TaskGroup() as batches:
            for start in range(0, len(documents), BATCH):
                batches.create_task(ingest(list(documents[start : start + BATCH])))

    async def _step(self, name: str, request: Any, response: type[Response], summary: str) -> Response:
        given: Response = await workflow.execute_activity(
            name,
            request,
            result_type=response,
            summary=summary,
            start_to_close_timeout=timedelta(minutes=10),
            heartbeat_timeout=timedelta(minutes=1),
            retry_policy=RETRIES,
        )
        return given

    def _with(self, status: str) -> list[Outcome]:
        return [outcome for outcome in self._outcomes if outcome.status == status]

    def _result(self, identity: CollectionIdentity, removed: RemoveResponse) -> IngestResult:
        quarantined = sorted(self._with("quarantined"), key=lambda outcome: outcome.document)
        return IngestResult(
            collection=identity.name,
            embedder=identity.embedder,
            documents=self._listed,
            chunks=self.progress().chunks,
            stored=removed.stored,
            unchanged=len(self._with("unchanged")),
            removed=len(removed.removed),
            quarantined=[
                QuarantinedDocument(document=outcome.document, reason=outcome.reason) for outcome in quarantined
            ],
        )


def _checked(request: Any) -> IngestInput:
    try:
        return IngestInput.model_validate(request)
    except ValidationError as error:
        raise ApplicationError(
            f"The input of {INGEST_WORKFLOW} can't be used: {explain(error)}. Send JSON like {EXAMPLE}.",
            type="InvalidInput",
            non_retryable=True,
        ) from None


def _described(ingestion: IngestInput) -> str:
    source = ingestion.source
    return f"folder {source.path}"[:200] if source.kind == "folder" else "documentation of installed packages"


def _named(batch: Sequence[str]) -> str:
    """As Temporal's UI shows it: "temporalio, langgraph, … (10 documents)"."""
    shown = ", ".join(document.partition(" ")[0][-40:] for document in batch[:2])
    return f"{shown}{', …' if len(batch) > 2 else ''} ({len(batch)} document{'s' * (len(batch) != 1)})"  # noqa: PLR2004
