"""What may go from the storage of large payloads: the folders of workflows that the server no longer knows.

A workflow lives as long as any of its executions: while it runs, and until the namespace's retention is over. Whatever
is in doubt stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeWorkflowExecutionRequest
from temporalio.client import ScheduleActionStartWorkflow
from temporalio.service import RPCError, RPCStatusCode

from agents.errors import FatalError
from temporal.blobs import FRESH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from temporalio.client import Client

    from temporal.blobs import Blobs


LONG_AGO = datetime.min.replace(tzinfo=UTC)
FAR_OFF = datetime.max.replace(tzinfo=UTC)


class SuspiciousCollection(FatalError):
    """Everything would go: this is more likely to be the storage of another server."""


@dataclass(slots=True)
class Folder:
    """The objects of one workflow."""

    path: str
    objects: list[str] = field(default_factory=list)
    size: int = 0
    written: datetime = LONG_AGO


@dataclass(slots=True)
class Amount:
    workflows: int = 0
    objects: int = 0
    size: int = 0

    def add(self, folder: Folder) -> None:
        self.workflows += 1
        self.objects += len(folder.objects)
        self.size += folder.size


@dataclass(frozen=True, slots=True)
class Collection:
    """What one collection removed, or would remove, and what stayed."""

    removed: Amount
    kept: Amount


async def usage(blobs: Blobs, namespace: str) -> Amount:
    total = Amount()
    for folder in await _folders(blobs, namespace):
        total.add(folder)
    return total


async def collect(
    blobs: Blobs,
    client: Client,
    *,
    dry_run: bool = False,
    closed_for: timedelta | None = None,
    fresh: timedelta = FRESH,
    force: bool = False,
) -> Collection:
    """Removes what workflows left behind that are gone, or, with `closed_for`, that ended longer ago than that.

    Raises SuspiciousCollection where the server knows none of the workflows, unless it is forced.
    """
    now = datetime.now(UTC)
    await _require_namespace(client)
    folders = await _folders(blobs, client.namespace)
    scheduled = [identifier async for identifier in _scheduled(client)]
    old = [folder for folder in folders if now - folder.written >= fresh]
    doomed, strange = [], 0
    for folder in old:
        workflow = await blobs.workflow_of(folder.path)
        if not workflow or workflow in scheduled:
            continue
        closed = await _closed(client, workflow)
        strange += closed is None
        if closed is None or (closed_for is not None and now - closed >= closed_for):
            doomed.append(folder)
    if folders and strange == len(folders) and not force:
        raise SuspiciousCollection(
            f"Namespace {client.namespace!r} knows none of the workflows whose payloads are in {blobs.place}: "
            f"{strange:,} in all. Is it the storage of another server? If not, say so with --force."
        )
    if not dry_run:
        for path in (path for folder in doomed for path in folder.objects):
            await blobs.delete(path, unless_written_since=now - fresh)
    removed, kept, gone = Amount(), Amount(), {folder.path for folder in doomed}
    for folder in folders:
        (removed if folder.path in gone else kept).add(folder)
    return Collection(removed, kept)


async def _folders(blobs: Blobs, namespace: str) -> list[Folder]:
    folders: dict[str, Folder] = {}
    async for found in blobs.objects(namespace):
        path = found.path.rsplit("/", 1)[0]
        folder = folders.setdefault(path, Folder(path))
        folder.objects.append(found.path)
        folder.size += found.size
        folder.written = max(folder.written, found.written)
    return [folders[path] for path in sorted(folders)]


async def _require_namespace(client: Client) -> None:
    """A namespace that is not there knows no workflow, either."""
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        raise FatalError(f"Nothing was removed: the server says {error.message!r}.") from None


async def _scheduled(client: Client) -> AsyncIterator[str]:
    """The workflow ids that schedules start from. Their input is kept under these, without the time of a start."""
    async for listed in await client.list_schedules():
        description = await client.get_schedule_handle(listed.id).describe()
        if isinstance(description.schedule.action, ScheduleActionStartWorkflow):
            yield description.schedule.action.id


async def _closed(client: Client, workflow: str) -> datetime | None:
    """When the workflow ended: None where the server does not know it, far off while it runs or is in doubt."""
    try:
        described = await client.workflow_service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(
                namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow)
            ),
            retry=True,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return FAR_OFF if await _was_scheduled(client, workflow) else None
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            return FAR_OFF
        raise
    info = described.workflow_execution_info
    return info.close_time.ToDatetime(UTC) if info.HasField("close_time") else FAR_OFF


async def _was_scheduled(client: Client, workflow: str) -> bool:
    """Whether executions live that a schedule started from this id: theirs is the id, a dash and the time."""
    quoted = workflow.replace("\\", "\\\\").replace("'", "\\'")
    found = await client.count_workflows(f"WorkflowId STARTS_WITH '{quoted}-'")
    return found.count > 0
