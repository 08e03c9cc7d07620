"""The composition root: makes all that a worker needs, hands it down, and runs the worker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.failures import FailureInterceptor
from activities.heartbeats import HeartbeatInterceptor
from activities.model import ModelCalls
from activities.tool import ToolCalls
from activities.transcript import TranscriptCache
from temporal.interceptors import GraphInterceptor
from temporal.telemetry import LoggingInterceptor
from workflows import determinism, guard
from workflows.agent import AgentWorkflow
from workflows.graph import Graphs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.language_models import BaseChatModel
    from temporalio.client import Client

    from agents.registry import Registry
    from temporal.settings import Settings

WORKFLOWS: Sequence[type] = [AgentWorkflow]

STICKY_TIMEOUT = timedelta(seconds=2)
"""How long the server waits for a worker that held a run in its cache. After a crash, this is lost once per run."""


def ready_process() -> None:
    """Patch and guard this process for workflows. Done once; needed wherever workflow code runs."""
    determinism.install()
    guard.install()


def make_worker(
    client: Client,
    settings: Settings,
    *,
    registry: Registry,
    model_id: Callable[[str | None], str],
    chat_model: Callable[[str], BaseChatModel],
    activities: Sequence[Callable[..., Any]] = (),
) -> Worker:
    """A worker for the agents of `registry`. `activities` are those that need more than models and tools.

    `model_id` gives the full id of a model by its name, or of the default one; `chat_model` makes the model of an id.
    """
    ready_process()
    transcripts = TranscriptCache()
    models = ModelCalls(chat_model=chat_model, registry=registry, transcripts=transcripts)
    tools = ToolCalls(registry=registry, transcripts=transcripts)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=WORKFLOWS,
        activities=[models.call_model, *tools.activities(), *activities],
        workflow_runner=_runner(settings),
        interceptors=[
            LoggingInterceptor(),
            GraphInterceptor(Graphs.of(registry, model_id)),
            FailureInterceptor(),
            HeartbeatInterceptor(),
        ],
        max_cached_workflows=settings.worker.cached_workflows,
        max_concurrent_activities=settings.worker.max_concurrent_activities,
        max_concurrent_workflow_tasks=settings.worker.max_concurrent_workflow_tasks,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        graceful_shutdown_timeout=timedelta(seconds=settings.worker.shutdown_seconds),
    )


def _runner(settings: Settings) -> WorkflowRunner:
    """Every module passes through the sandbox: what it would restrict, the guard watches at less cost."""
    if settings.worker.sandbox:
        return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())
    return UnsandboxedWorkflowRunner()
