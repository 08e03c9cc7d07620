"""Logging that is configured for one test."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from temporal.logs import OWN, QUIET, configure_logging
from temporal.settings import LogSettings


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in (*OWN, *QUIET)}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, earlier in levels.items():
        logging.getLogger(name).setLevel(earlier)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def written(logging_as_before: None) -> io.StringIO:  # noqa: ARG001 -- it is to end after this one
    """What is logged, as JSON lines."""
    stream = io.StringIO()
    configure_logging(LogSettings(level="debug"), stream)
    return stream
