"""Logs: readable in a terminal, JSON lines elsewhere; run, agent, step and attempt bound by an interceptor.

A workflow's records are dropped while it replays. No prompt, answer or key is logged: vendors' loggers, which
print whole requests at debug level, are held at warning, and what looks like a key is masked.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars
from temporalio import activity, workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from activities.masking import mask_credentials
from workflows.continuation import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import EventDict, Processor, WrappedLogger

    from temporal.settings import LogSettings

OWN = ("agents", "activities", "workflows", "temporal")
QUIET = ("anthropic", "httpcore", "httpcore2", "httpx", "httpx2", "langsmith", "ollama", "openai", "weaviate")

log = structlog.stdlib.get_logger(__name__)


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to `stream`, stderr by default. Once per process."""
    stream = stream or sys.stderr
    readable = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    shared = _shared_processors("%H:%M:%S" if readable else "iso")
    renderer = _renderer(readable=readable, colors=_wants_colors(stream))
    handler = logging.StreamHandler(stream)
    handler.addFilter(_is_wanted)
    handler.setFormatter(_formatter(shared, renderer))
    # Straight to the stream: by way of the standard library a record would take four times as long.
    structlog.configure(
        processors=[drop_on_replay, *shared, renderer],
        logger_factory=structlog.WriteLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(_number(settings.level)),
    )
    logging.basicConfig(handlers=[handler], level=max(logging.INFO, _number(settings.level)), force=True)
    _set_levels(_number(settings.level))
    logging.captureWarnings(capture=True)


def forwarding_runtime() -> Runtime:
    """A Temporal runtime whose own log, written in Rust, comes out with ours."""
    forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"), append_log_fields_to_message=False)
    wanted = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(wanted, forwarding)))


def drop_on_replay(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor. Replaying a workflow repeats what it did, and must not repeat what it said."""
    if _is_replaying():
        raise structlog.DropEvent
    return event


def mask_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor that takes what looks like a key out of every text."""
    return {name: mask_credentials(value) if isinstance(value, str) else value for name, value in event.items()}


def _shared_processors(time_format: str) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt=time_format, utc=time_format == "iso"),
        structlog.processors.format_exc_info,
        mask_values,
    ]


def _renderer(*, readable: bool, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=colors) if readable else structlog.processors.JSONRenderer()


def _formatter(shared: Sequence[Processor], renderer: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _set_levels(level: int) -> None:
    for name in OWN:
        logging.getLogger(name).setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, level))
    # The interceptor binds what the SDK would append to each message.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _wants_colors(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _is_replaying() -> bool:
    return workflow.in_workflow() and workflow.unsafe.is_replaying()


def _is_wanted(record: logging.LogRecord) -> bool:
    """The SDK reports each failed activity with a traceback; `step_failed` has said it already."""
    reported = getattr(record, "__temporal_error_identifier", None) == "ActivityFailure"
    return not reported and not _is_replaying()


def _agent(arguments: Sequence[Any]) -> dict[str, str]:
    """The agent that the first argument is about: a step's request, or the JSON that started a run."""
    first = arguments[0] if arguments else None
    if isinstance(first, RawValue):
        if (carried := first.payload.metadata.get(MARK)) is not None:
            return {"agent": carried.decode(errors="replace")}
        first = _read(first)
    agent = first.get("agent") if isinstance(first, dict) else getattr(first, "agent", None)
    return {"agent": agent} if isinstance(agent, str) else {}


def _read(raw: RawValue) -> Any:
    """A workflow's argument. The workflow itself says what is wrong where it can't be read."""
    with suppress(Exception):
        return workflow.payload_converter().from_payload(raw.payload)
    return None


class LoggingInterceptor(Interceptor):
    """Binds what a record is about, and logs the start and the end of runs and steps."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _LoggedActivity(next)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name
    ) -> type[WorkflowInboundInterceptor]:
        return _LoggedWorkflow


class _LoggedActivity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        info = activity.info()
        about = {"run": info.workflow_id, "step": info.activity_type, "step_id": info.activity_id}
        with bound_contextvars(**about, attempt=info.attempt, **_agent(input.args)):
            bound = log.bind()  # once for both
            bound.debug("step_started")
            started = time.perf_counter()
            try:
                result = await super().execute_activity(input)
            except (CancelledError, asyncio.CancelledError):
                bound.info("step_cancelled", milliseconds=_since(started))
                raise
            except Exception as error:
                bound.warning("step_failed", milliseconds=_since(started), **_failure(error))
                raise
            bound.info("step_finished", milliseconds=_since(started))
            return result


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _failure(error: Exception) -> dict[str, Any]:
    """What `step_failed` says. A traceback is added where nobody classified the error."""
    if not isinstance(error, ApplicationError):
        return {"error": str(error), "type": type(error).__name__, "exception": _traceback(error)}
    said = {"error": error.message, "type": error.type, "retryable": not error.non_retryable}
    return said if error.non_retryable or error.next_retry_delay else {**said, "exception": _traceback(error)}


def _traceback(error: Exception) -> str:
    """As plain text: structlog's own default draws every frame's locals, for seconds, in a workflow's thread."""
    return "".join(traceback.format_exception(error)).rstrip()


class _LoggedWorkflow(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002 - the SDK's name
        info = workflow.info()
        bind_contextvars(run=info.workflow_id, workflow=info.workflow_type, **_agent(input.args))
        log.info("run_started")
        try:
            result = await super().execute_workflow(input)
        except workflow.ContinueAsNewError:
            log.info("run_continued_as_new", events=workflow.info().get_current_history_length())
            raise
        except Exception as error:
            log.warning("run_failed", **{**_failure(error), "exception": _traceback(error)})
            raise
        log.info("run_finished", milliseconds=_age(info))
        return result

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002 - the SDK's name
        bind_contextvars(run=workflow.info().workflow_id, signal=input.signal)
        await super().handle_signal(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002 - the SDK's name
        bind_contextvars(run=workflow.info().workflow_id, update=input.update)
        return await super().handle_update_handler(input)


def _age(info: workflow.Info) -> int:
    return round((workflow.now() - info.start_time).total_seconds() * 1000)
