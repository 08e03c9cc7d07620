"""What `perdure doctor` looks at. Each check says what it found and, where something is off, what to do."""

from __future__ import annotations

import asyncio
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    GetSystemInfoRequest,
)
from temporalio.service import RPCError

from activities.embedding import embedder
from activities.providers import EXTRACTIVE, chat_model, resolve_model
from agents.errors import PerdureError
from agents.registry import Registry
from temporal import search_attributes
from temporal.client import connect
from temporal.packages import CLASHING, clashing
from temporal.store import find_store
from temporal.target import find_target
from workflows.contracts import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from temporalio.client import Client

    from temporal.settings import Settings

LIBRARIES = ("perdure", "langgraph", "langchain", "langchain-core", "temporalio", "weaviate-client", "pydantic")
OLDEST_PYTHON = (3, 11)
POLLED_LATELY = timedelta(seconds=75)
"""A worker's poll lasts up to a minute; the server lists a worker that is gone for some minutes more."""


@dataclass(frozen=True, slots=True)
class Check:
    """`state` is failed where something needed is missing, and a warning where one can do without."""

    name: str
    state: Literal["ok", "warning", "failed"]
    said: str
    remedy: str = ""


def versions() -> dict[str, str]:
    """What is installed of the libraries that matter."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def check_python() -> Check:
    said = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        return Check("Python", "failed", said, "Use Python 3.11 or later.")
    return Check("Python", "ok", said)


def check_names() -> Check:
    """Other distributions have top-level packages of our names, and one would hide the other."""
    if found := clashing():
        remedy = f"Run `pip uninstall {' '.join(found)}`, or give Perdure an environment of its own."
        return Check("Package names", "failed", f"also claimed by {', '.join(found)}", remedy)
    return Check("Package names", "ok", f"{', '.join(sorted(CLASHING.values()))} are ours alone")


def check_agents() -> Check:
    try:
        names = [agent.name for agent in Registry.installed()]
    except (ImportError, TypeError, ValueError) as error:
        return Check("Agents", "failed", str(error), "Repair or uninstall the package that offers this agent.")
    if not names:
        return Check("Agents", "warning", "none is installed", "Install a package with entry points `perdure.agents`.")
    return Check("Agents", "ok", ", ".join(names))


def check_model(settings: Settings, environ: Mapping[str, str]) -> Check:
    try:
        model_id = resolve_model(settings.model, environ)
        chat_model(model_id, environ)
    except PerdureError as error:
        return Check("Model", "failed", str(error), "Set PERDURE_MODEL to another, or leave it out.")
    if model_id == EXTRACTIVE:
        return Check("Model", "ok", f"{EXTRACTIVE}: quotes documents; PERDURE_MODEL names one that writes")
    return Check("Model", "ok", model_id)


def check_embedder(settings: Settings, environ: Mapping[str, str]) -> Check:
    try:
        return Check("Embedder", "ok", embedder(settings.embedding, environ).id)
    except PerdureError as error:
        return Check("Embedder", "failed", str(error), "Set PERDURE_EMBEDDING to another, or leave it out.")


async def check_temporal(settings: Settings, environ: Mapping[str, str]) -> list[Check]:
    """The server, its namespace, the workers on the task queue, the web UI."""
    try:
        target = find_target(settings, environ)
        client = await connect(target)
        info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=target.namespace))
    except PerdureError as error:
        return [Check("Temporal", "failed", str(error))]
    except RPCError as error:
        remedy = "Make the namespace, or name another with TEMPORAL_NAMESPACE."
        return [Check("Temporal", "failed", error.message, remedy)]
    said = f"{target.address} ({target.origin}), namespace {target.namespace!r}, server {info.server_version}"
    return [
        Check("Temporal", "ok", said),
        await _check_search_attribute(client),
        await _check_workers(client, settings.task_queue),
        _check_ui(target.ui_url),
    ]


async def _check_search_attribute(client: Client) -> Check:
    """Without it runs can't ask people anything, and workers don't start."""
    try:
        state = await search_attributes.look_up(client)
    except RPCError as error:
        return Check("Search attribute", "failed", error.message)
    if state == "there":
        return Check("Search attribute", "ok", f"{QUESTIONS.name} is there")
    said = {"missing": "is missing", "other_type": "is there, of another type than KeywordList"}[state]
    return Check("Search attribute", "failed", f"{QUESTIONS.name} {said}", search_attributes.remedy(client.namespace))


async def _check_workers(client: Client, task_queue: str) -> Check:
    description = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    since = datetime.now(UTC) - POLLED_LATELY
    lately = [poller for poller in description.pollers if poller.last_access_time.ToDatetime(UTC) > since]
    if not lately:
        return Check("Workers", "failed", f"none polls task queue {task_queue!r}", "Start one with `perdure worker`.")
    identities = ", ".join(sorted({poller.identity for poller in lately}))
    return Check("Workers", "ok", f"{identities} on task queue {task_queue!r}")


def _check_ui(url: str | None) -> Check:
    if url is None:
        return Check("Web UI", "warning", "its address is not known", "Set PERDURE_UI_URL for links to runs.")
    return Check("Web UI", "ok", url)


async def check_storage(settings: Settings, environ: Mapping[str, str]) -> Check:
    """Whether large payloads can be written, read and removed, as this process would."""
    try:
        location = find_target(settings, environ).storage
        if location is None:
            remedy = "Set PERDURE_STORAGE__URL for larger payloads, the same for all workers and clients."
            return Check("Storage", "warning", "none; payloads of more than 2 MiB are refused", remedy)
        async with asyncio.timeout(30):
            await location.open().probe()
    except (PerdureError, TimeoutError) as error:
        remedy = "Check PERDURE_STORAGE__URL, the vendor's variables, and the rights to read, write and delete."
        return Check("Storage", "failed", str(error) or "no answer in 30 s", remedy)
    return Check("Storage", "ok", location.place)


async def check_weaviate(settings: Settings) -> list[Check]:
    """The server, then each collection with the embedder that made it."""
    try:
        async with asyncio.timeout(10), find_store(settings).open() as weaviate:
            names = await weaviate.names()
            made = [await weaviate.identity(name) for name in names]
            counts = [await weaviate.count(name) for name in names]
    except (PerdureError, TimeoutError) as error:
        return [Check("Weaviate", "failed", str(error) or "no answer in 10 s", "Start one with `perdure dev`.")]
    if not names:
        return [Check("Weaviate", "warning", "it has no collection", "Fill one with `perdure ingest`.")]
    collections = [
        Check(f"Collection {identity.name}", "ok", f"{count:,} chunks, embedder {identity.embedder}")
        for identity, count in zip(made, counts, strict=True)
    ]
    return [Check("Weaviate", "ok", f"{len(names)} collections"), *collections]
