"""Where log records go, and how they look: readable in a terminal, JSON lines elsewhere.

A workflow's records are dropped while it replays. No prompt, answer or key is logged: vendors' loggers, which
print whole requests at debug level, are held at warning, and what looks like a key is masked.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from temporalio import activity, workflow
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from activities.masking import mask_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import EventDict, Processor, WrappedLogger

    from temporal.settings import LogSettings

OWN = ("agents", "activities", "workflows", "temporal")
QUIET = ("anthropic", "httpcore", "httpcore2", "httpx", "httpx2", "langsmith", "ollama", "openai", "weaviate")


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to `stream`, stderr by default. Once per process."""
    stream = stream or sys.stderr
    readable = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    shared = _shared_processors("%H:%M:%S" if readable else "iso")
    renderer = _renderer(readable=readable, colors=_wants_colors(stream))
    handler = logging.StreamHandler(stream)
    handler.addFilter(_is_wanted)
    handler.setFormatter(_formatter(shared, renderer))
    # Straight to the stream: by way of the standard library a record would take twice as long.
    lines = _Lines(handler)
    structlog.configure(
        processors=[drop_on_replay, *shared, _rendered(renderer)],
        logger_factory=lambda *_names: lines,
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


def _rendered(render: Processor) -> Processor:
    """What can't be written down must not fail the code that said it."""

    def line(logger: WrappedLogger, method: str, event: EventDict) -> Any:
        said = str(event.get("event"))
        try:
            return render(logger, method, event)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is about the log alone
            return json.dumps({"event": "record_lost", "level": method, "said": said, "error": str(error)[:200]})

    return line


class _Lines:
    """Writes between the records of `handler`, and like it never raises: the reader of a log may be gone."""

    def __init__(self, handler: logging.StreamHandler[TextIO]) -> None:
        self._handler = handler

    def msg(self, line: str) -> None:
        self._handler.acquire()
        try:
            self._handler.stream.write(line + "\n")
            self._handler.stream.flush()
        except (OSError, ValueError):
            pass
        finally:
            self._handler.release()

    debug = info = warning = error = critical = exception = msg


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
