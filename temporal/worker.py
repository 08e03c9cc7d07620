"""The composition root: makes all that a worker needs, hands it down, and runs the worker."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.bodies import Bodies
from activities.compaction import Compactions
from activities.effects import Effects
from activities.embedding import embedder
from activities.events import NoEvents
from activities.failures import FailureInterceptor
from activities.heartbeats import HeartbeatInterceptor
from activities.ingestion import Ingestion
from activities.late import LatenessInterceptor
from activities.model import ModelCalls
from activities.node import NodeCalls
from activities.once import called_in_nodes
from activities.processes import ToolProcesses
from activities.providers import chat_model, resolve_model
from activities.retrieval import Retrieval, WeaviateRetriever
from activities.sizes import SizeInterceptor
from activities.store import Stores
from activities.telling import TellingInterceptor
from activities.threads import MOST_THREADS
from activities.tool import ToolCalls
from activities.transcript import TranscriptCache
from activities.weaviate_items import WeaviateItems
from activities.weaviate_store import WeaviateStore
from agents.agent import LiveResources
from agents.options import tool_options
from agents.registry import Registry
from temporal import search_attributes, walks
from temporal.archive import archive_of
from temporal.client import connect
from temporal.converter import payload_limits
from temporal.interceptors import GraphInterceptor
from temporal.logs import forwarding_runtime
from temporal.packages import refuse_clashing
from temporal.runners import ClosingRunner
from temporal.settings import InvalidSettings, read_environment
from temporal.store import find_store
from temporal.streams import event_transport
from temporal.target import find_target
from temporal.telemetry import LoggingInterceptor
from temporal.timely import TimelyRunner
from temporal.watchdog import Watchdog, WatchedRunner, leave_to_watchdog
from workflows import determinism, guard, quiet
from workflows.agent import AgentWorkflow
from workflows.contracts import AGENT_WORKFLOW
from workflows.graph import Graphs
from workflows.ingestion import IngestWorkflow
from workflows.thread import ThreadWorkflow
from workflows.turns import THREAD_WORKFLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.retrievers import BaseRetriever
    from temporalio.client import Client

    from activities.events import EventSink
    from activities.store import MakeStore
    from temporal.archive import PageArchive
    from temporal.settings import Settings

WORKFLOWS: Sequence[type] = [AgentWorkflow, ThreadWorkflow, IngestWorkflow]

TOOL_PROCESS = "temporal.tool_process"

STICKY_TIMEOUT = timedelta(seconds=2)
"""How long the server waits for a worker that held a run in its cache. After a crash, this is lost once per run."""

HANGING_SECONDS = 20
"""After the time that steps have to end when a worker is told to stop. Many supervisors kill after 30 seconds."""

log = structlog.get_logger()


async def run_worker(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """Serve the installed agents until `stop` is set, or the process is told to end by SIGINT or SIGTERM."""
    refuse_clashing()
    ready_process()  # before authors' modules are loaded: `from time import sleep` keeps what it finds
    environ = read_environment()
    stop = stop or _stop_on_signals(settings.worker.shutdown_seconds + HANGING_SECONDS)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MOST_THREADS, "perdure"))
    default_model = resolve_model(settings.model, environ)
    target = find_target(settings, environ)
    client = await connect(target, runtime=forwarding_runtime())
    await search_attributes.ensure(client)
    embeds = embedder(settings.embedding, environ)
    refuse_forgetting(settings, registry := Registry.installed())
    async with AsyncExitStack() as opened:
        weaviate = await opened.enter_async_context(find_store(settings).open())
        retrieval = Retrieval(weaviate, embeds)
        worker = make_worker(
            client,
            settings,
            registry=registry,
            model_id=lambda name: resolve_model(name, environ) if name else default_model,
            chat_model=functools.cache(functools.partial(chat_model, environ=environ)),
            activities=_document_activities(retrieval, Ingestion(weaviate, embeds)),
            search=functools.partial(_search, retrieval),
            store=functools.partial(WeaviateStore, WeaviateItems(weaviate, embeds)),
            events=opened.enter_context(event_transport(settings, target.namespace).publishing()),
        )
        settle_memory()
        log.info("worker_started", task_queue=settings.task_queue, address=target.address, model=default_model)
        await _serve(worker, stop)
    log.info("worker_stopped")


def refuse_forgetting(settings: Settings, registry: Registry) -> None:
    """Raises InvalidSettings where local steps meet a worker that keeps no runs. With each task that ends, the SDK
    drops one, and ends the local steps that it is in; nobody tells the server, which waits for its task to time out.
    """
    for agent in registry:
        local = [tool.name for tool in agent.tools if (tool_options(tool).step or agent.tool_step).local]
        if local and not settings.worker.cached_workflows:
            raise InvalidSettings(
                f"Agent {agent.name!r} has local steps, as {local[0]!r}, and PERDURE_WORKER__CACHED_WORKFLOWS is 0: "
                "runs would be dropped in the middle of these. Let the worker keep as many as are at work at once."
            )


def settle_memory() -> None:
    """What is loaded by now stays: the collector need not look through it again and again.

    A run leaves some hundred objects in cycles, so looking for them once in ten runs is enough.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


async def _serve(worker: Worker, stop: asyncio.Event) -> None:
    """Until `stop` is set, or until the worker ends by itself: then with its error."""
    serving, stopping = asyncio.create_task(worker.run()), asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        log.info("worker_stopping")
        await worker.shutdown()
    await serving


def _stop_on_signals(patience: float) -> asyncio.Event:
    """Set by the first signal. A second Ctrl-C ends the process, as does the end of `patience` seconds: what a worker
    that hangs has under way goes on elsewhere, as after a crash.
    """
    stop = asyncio.Event()

    def stop_or_end(number: int) -> None:
        if not stop.is_set():
            stop.set()
            hanging = threading.Timer(patience, _end, [f"It did not stop within {patience:g} seconds."])
            hanging.daemon = True
            hanging.start()
        elif number == signal.SIGINT:
            _end("It was told to stop twice.")

    with suppress(NotImplementedError):  # no such handlers on Windows
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop_or_end, number)
    return stop


def _end(why: str) -> NoReturn:
    log.error("worker_ended", error=f"{why} What it had under way is tried again elsewhere.")
    os._exit(1)


def _document_activities(retrieval: Retrieval, ingestion: Ingestion) -> list[Callable[..., Any]]:
    return [
        retrieval.retrieve,
        ingestion.prepare_collection,
        ingestion.list_documents,
        ingestion.ingest_documents,
        ingestion.remove_missing,
    ]


def _search(retrieval: Retrieval, collection: str, limit: int) -> BaseRetriever:
    return WeaviateRetriever(retrieval=retrieval, collection=collection, limit=limit)


IMPORTED_LATE = ("langchain_openai.chat_models.base",)
"""What LangChain imports, where it is installed, while an agent runs: that takes longer than a workflow may."""


def ready_process() -> None:
    """Patch and guard this process for workflows. Done once; needed wherever workflow code runs."""
    for module in IMPORTED_LATE:
        with suppress(ImportError):
            importlib.import_module(module)
    determinism.install()
    guard.install()
    quiet.install()
    walks.install()


def make_worker(
    client: Client,
    settings: Settings,
    *,
    registry: Registry,
    model_id: Callable[[str | None], str],
    chat_model: Callable[[str], BaseChatModel],
    activities: Sequence[Callable[..., Any]] = (),
    search: Callable[[str, int], BaseRetriever] | None = None,
    store: MakeStore | None = None,
    events: EventSink | None = None,
) -> Worker:
    """A worker for the agents of `registry`. `activities` are those that need more than models and tools.

    `model_id` gives the full id of a model by its name, or of the default one; `chat_model` makes the model of an id,
    `search` a live retriever, for nodes that run as activities, of a collection and a limit, and `store` the store of
    an agent that has these types, below the namespace that it is given.
    """
    ready_process()
    transcripts = TranscriptCache()
    sink = events or NoEvents()
    models = ModelCalls(chat_model=chat_model, registry=registry, transcripts=transcripts)
    compactions = Compactions(
        chat_model=chat_model, registry=registry, transcripts=transcripts, archive=_archive(client, registry)
    )
    stores = Stores(registry=registry, make=store)
    processes = ToolProcesses(most=settings.worker.tool_processes, entry=TOOL_PROCESS, store=stores.carry_out)
    bodies = Bodies(processes)
    tools = ToolCalls(registry=registry, transcripts=transcripts, bodies=bodies, store_of=stores.of)
    graphs = Graphs.of(registry, model_id)
    nodes = NodeCalls(
        registry=registry,
        transcripts=transcripts,
        resources=lambda agent: LiveResources(
            lambda name: chat_model(model_id(name)), called_in_nodes(agent, bodies), search, [*registry]
        ),
        store_of=stores.of,
    )
    limits = payload_limits(client.data_converter, most=settings.storage.largest)
    timely = TimelyRunner(ClosingRunner(_runner(settings)))
    worker = Worker(
        client,
        task_queue=settings.task_queue,
        workflows=WORKFLOWS,
        activities=[
            models.call_model,
            compactions.compact,
            stores.store,
            *tools.activities(),
            *Effects(registry=registry, bodies=bodies).activities(),
            *nodes.activities(graphs.parts),
            *activities,
        ],
        workflow_runner=WatchedRunner(timely, Watchdog()),
        interceptors=[
            LoggingInterceptor(),
            GraphInterceptor(graphs, limits, sink, debugging=settings.stream.debug),
            TellingInterceptor(sink),
            FailureInterceptor(),
            SizeInterceptor(limits),
            HeartbeatInterceptor(settings.worker.heartbeat_seconds),
            LatenessInterceptor({AGENT_WORKFLOW, THREAD_WORKFLOW}),
        ],
        plugins=[SimplePlugin("perdure.Bodies", run_context=bodies.open)],
        max_cached_workflows=settings.worker.cached_workflows,
        max_concurrent_activities=settings.worker.max_concurrent_activities,
        max_concurrent_workflow_tasks=settings.worker.max_concurrent_workflow_tasks,
        max_heartbeat_throttle_interval=timedelta(seconds=settings.worker.heartbeat_seconds / 2),
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        graceful_shutdown_timeout=timedelta(seconds=settings.worker.shutdown_seconds),
    )
    leave_to_watchdog(worker)
    timely.serve(worker)
    return worker


def _archive(client: Client, registry: Registry) -> PageArchive | None:
    """Raises InvalidSettings where an agent needs one, and there is none."""
    archive = archive_of(client)
    if archive is None and (compacting := [agent.name for agent in registry if agent.compaction]):
        raise InvalidSettings(
            f"Agent {compacting[0]!r} has a `compaction`, and what it takes out of conversations goes to the storage "
            "of large payloads, of which there is none. Name one: PERDURE_STORAGE__URL."
        )
    return archive


def _runner(settings: Settings) -> WorkflowRunner:
    """Every module passes through the sandbox: what it would restrict, the guard watches at less cost."""
    if settings.worker.sandbox:
        return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())
    return UnsandboxedWorkflowRunner()
