"""What a worker logs of runs and steps: an interceptor that binds run, agent, step and attempt to all records."""

from __future__ import annotations

import asyncio
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars
from temporalio import activity, workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, CancelledError
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

from workflows.continuation import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

log: FilteringBoundLogger = structlog.get_logger()


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
    """Binds what a record is about, and logs the start and the end of runs and steps.

    Make it when logging is configured: a logger that is bound anew for each record takes as long as the record.
    """

    def __init__(self) -> None:
        self._log: FilteringBoundLogger = log.bind()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _LoggedActivity(next, self._log)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name
    ) -> type[WorkflowInboundInterceptor]:
        return _LoggedWorkflow


class _LoggedActivity(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, logger: FilteringBoundLogger) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self._log = logger

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        info = activity.info()
        about = {"run": info.workflow_id, "step": info.activity_type, "step_id": info.activity_id}
        with bound_contextvars(**about, attempt=info.attempt, **_agent(input.args)):
            self._log.debug("step_started")
            started = time.perf_counter()
            try:
                result = await self.next.execute_activity(input)
            except (CancelledError, asyncio.CancelledError):
                self._log.info("step_cancelled", milliseconds=_since(started))
                raise
            except Exception as error:
                self._log.warning("step_failed", milliseconds=_since(started), **_failure(error))
                raise
            self._log.info("step_finished", milliseconds=_since(started))
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
