"""Which line of the author's led to what happens: looks at the frames of the running code. Runs in workflows."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from agents.errors import FatalError
from workflows.run import current_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

    from agents.agent import Agent

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


def authors_line(frame: FrameType | None, home: str | None = None) -> str | None:
    """The innermost line of the package that builds the agent, else of code that is not installed as a library, else of
    the package that the framework has called.

    `home` is that package, by default the running agent's.
    """
    home = home or _home()
    calling = [each for each in _callers(frame) if is_authors(package_of(each))]
    if own := _own(calling, home):
        return line_of(own[0])
    called = package_of(calling[-1]) if calling else None
    return _awaiting_line(home) or next((line_of(each) for each in calling if package_of(each) == called), None)


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    """The frame, what called it, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _own(frames: list[FrameType], home: str | None) -> list[FrameType]:
    """Those of the package `home`, else those that are of no library."""
    at_home = [frame for frame in frames if package_of(frame) == home]
    return at_home or [frame for frame in frames if not _is_library(frame)]


def _awaiting_line(home: str | None) -> str | None:
    """Where the author's code waits, when what it called runs in a task of its own: if that is at one place alone."""
    if not home or not workflow.in_workflow():
        return None
    waiting = [frame for task in asyncio.all_tasks() for frame in _awaiting(task) if is_authors(package_of(frame))]
    lines = {line_of(frame) for frame in _own(waiting, home)}
    return lines.pop() if len(lines) == 1 else None


def _awaiting(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """The frames of the coroutines that a task is waiting in, the outermost first."""
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        if frame := getattr(coroutine, "cr_frame", None):
            yield frame
        coroutine = getattr(coroutine, "cr_await", None)


def raised_at(traceback: TracebackType | None) -> str | None:
    """The author's line nearest to where an exception was raised."""
    home, inner, other = _home(), None, None
    while traceback is not None:
        package, line = package_of(traceback.tb_frame), f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        inner = line if package == home else inner
        other = line if is_authors(package) else other
        traceback = traceback.tb_next
    return inner or other


def is_own(frame: FrameType) -> bool:
    """Whether the frame is of the running agent's package, or of other code that is not installed as a library."""
    package = package_of(frame)
    if package == _home():
        return True
    return is_authors(package) and not _is_library(frame)


def _is_library(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_LIBRARIES)


_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def caller(frame: FrameType | None, through: frozenset[str]) -> FrameType | None:
    """The innermost frame outside of the modules `through`."""
    while frame is not None and frame.f_globals.get("__name__") in through:
        frame = frame.f_back
    return frame


def home_of(agent: Agent) -> str:
    """The top-level package of the agent's `build`."""
    return str(getattr(agent.build, "__module__", "")).partition(".")[0]


def running(frame: FrameType | None) -> FrameType | None:
    """The author's frame that computes at this moment, by itself or in Python's own library; None in a framework."""
    while frame is not None and not is_authors(package := package_of(frame)):
        if package in FRAMEWORK:
            return None
        frame = frame.f_back
    return frame


def _home() -> str | None:
    try:
        return home_of(current_run().agent)
    except FatalError:
        return None
