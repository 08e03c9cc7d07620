"""IngestWorkflow: fills a collection from a source, in batches. Deterministic: all I/O is in its activities."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue

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
from agents.errors import InvalidInput
from agents.options import StepOptions
from workflows.contracts import (
    INGEST_WORKFLOW,
    IngestInput,
    IngestProgress,
    IngestResult,
    QuarantinedDocument,
    explain,
)
from workflows.failures import failing_the_run
from workflows.input import NO_INPUT, read_input
from workflows.steps import execute_step

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 10
AT_ONCE = 4
EXAMPLE = '{"collection": "docs", "source": {"kind": "installed"}}'
OPTIONS = StepOptions(timeout=timedelta(minutes=10), heartbeat=timedelta(minutes=1), attempts=6)


@workflow.defn(name=INGEST_WORKFLOW)
class IngestWorkflow:
    def __init__(self) -> None:
        self._listed = 0
        self._outcomes: list[Outcome] = []

    @workflow.run
    async def run(self, request: RawValue = NO_INPUT) -> IngestResult:
        with failing_the_run():
            return await self._run(_checked(request))

    async def _run(self, ingestion: IngestInput) -> IngestResult:
        identity = await execute_step(
            PREPARE_COLLECTION,
            PrepareRequest(collection=ingestion.collection),
            CollectionIdentity,
            options=OPTIONS,
            summary=f"collection {ingestion.collection}",
        )
        listed = await execute_step(
            LIST_DOCUMENTS,
            ListRequest(source=ingestion.source),
            DocumentList,
            options=OPTIONS,
            summary=_described(ingestion),
        )
        self._listed = len(listed.documents)
        await self._ingest(ingestion, listed.documents)
        removed = await execute_step(
            REMOVE_MISSING,
            RemoveRequest(collection=ingestion.collection, source=ingestion.source),
            RemoveResponse,
            options=OPTIONS,
            summary="documents that are gone",
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
                response = await execute_step(
                    INGEST_DOCUMENTS, request, IngestResponse, options=OPTIONS, summary=_named(batch)
                )
            self._outcomes += response.outcomes

        async with asyncio.TaskGroup() as batches:
            for start in range(0, len(documents), BATCH):
                batches.create_task(ingest(list(documents[start : start + BATCH])))

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


def _checked(raw: RawValue) -> IngestInput:
    try:
        return IngestInput.model_validate(read_input(raw))
    except ValidationError as error:
        raise InvalidInput(
            f"The input of {INGEST_WORKFLOW} can't be used: {explain(error)}. Send JSON like {EXAMPLE}."
        ) from None


def _described(ingestion: IngestInput) -> str:
    source = ingestion.source
    return f"folder {source.path}" if source.kind == "folder" else "documentation of installed packages"


def _named(batch: Sequence[str]) -> str:
    """As Temporal's UI shows it: "temporalio, langgraph, … (10 documents)"."""
    shown = ", ".join(document.partition(" ")[0][-40:] for document in batch[:2])
    return f"{shown}{', …' if len(batch) > 2 else ''} ({len(batch)} document{'s' * (len(batch) != 1)})"  # noqa: PLR2004
