"""Which line of the author's led to what happens: looks at the frames of the running code. Runs in workflows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agents.errors import FatalError
from workflows.run import current_run

if TYPE_CHECKING:
    from types import FrameType

FRAMEWORK = frozenset(
    {
        "activities",
        "langchain",
        "langchain_core",
        "langgraph",
        "langsmith",
        "pydantic",
        "pydantic_core",
        "temporal",
        "temporalio",
        "workflows",
    }
)
"""Packages that run an author's code and are not meant when its line is asked for."""


def package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def is_authors(package: str) -> bool:
    return package not in FRAMEWORK and package not in sys.stdlib_module_names


def line_of(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def authors_line(frame: FrameType | None) -> str | None:
    """The innermost line of the package that builds the agent, else of any package that is no framework."""
    home, other = _home(), None
    while frame is not None:
        package = package_of(frame)
        if package == home:
            return line_of(frame)
        if other is None and is_authors(package):
            other = line_of(frame)
        frame = frame.f_back
    return other


def running(frame: FrameType | None) -> FrameType | None:
    """The author's frame that computes at this moment, by itself or in Python's own library; None in a framework."""
    while frame is not None and not is_authors(package := package_of(frame)):
        if package in FRAMEWORK:
            return None
        frame = frame.f_back
    return frame


def _home() -> str | None:
    """The package of the running agent's `build`."""
    try:
        build = current_run().agent.build
    except FatalError:
        return None
    return getattr(build, "__module__", "").partition(".")[0]
