"""Catches I/O done by graph code inside a workflow, by an audit hook, and names the node and the line that did it.

Modules that pass through Temporal's sandbox have no restrictions there, so this is what stands between a careless
node and a run that can't be replayed.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, SupportsIndex

from langchain_core.runnables.config import var_child_runnable_config
from temporalio import workflow

from agents.errors import BlockingCall
from workflows.lines import authors_line

if TYPE_CHECKING:
    from types import FrameType

FORBIDDEN = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.listdir",
        "os.posix_spawn",
        "os.scandir",
        "os.system",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.sendto",
        "sqlite3.connect",
        "subprocess.Popen",
        "urllib.Request",
    }
)
PYTHON_FILES = (".py", ".pyc", ".so", ".pyd", ".dylib", ".pyi", ".zip")

_installed = False


def install() -> None:
    """Put the hook in place, once per process: Python has no way to take one out.

    `time.sleep` raises no audit event before Python 3.13, and is replaced.
    """
    global _installed  # noqa: PLW0603 -- see above
    if not _installed:
        sys.addaudithook(_audit)
        time.sleep = _no_sleep
        _installed = True


_sleep = time.sleep


def _no_sleep(seconds: float | SupportsIndex, /) -> None:
    if not workflow.in_workflow():
        return _sleep(seconds)
    raise BlockingCall(
        f"{node()} did time.sleep({seconds!r}) inside a workflow{_place()}, where it blocks the worker. "
        "Use `await asyncio.sleep(...)`, which is a durable timer."
    )


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in FORBIDDEN and not (event == "open" and _is_data(arguments[0])):
        return
    if not workflow.in_workflow() or workflow.unsafe.is_sandbox_unrestricted() or _is_importing():
        return
    raise BlockingCall(
        f"{node()} did {_what(event, arguments)} inside a workflow{_place()}, which can't be replayed. "
        "Move it to a tool, whose body runs in an activity."
    )


def _is_data(path: object) -> bool:
    """Python opens its own files when it prints a traceback."""
    return isinstance(path, str) and not path.endswith(PYTHON_FILES)


def _is_importing() -> bool:
    """A module that is first needed in a workflow is read, and its bytecode written, there."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 -- the way to look at one's callers
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def node() -> str:
    """Whose code is running, as a message begins: `Node 'peek'`."""
    config = var_child_runnable_config.get() or {}
    name = (config.get("metadata") or {}).get("langgraph_node")
    return f"Node {name!r}" if name else "Graph code"


def _place() -> str:
    line = authors_line(sys._getframe())  # noqa: SLF001 -- the way to look at one's callers
    return f" ({line})" if line else ""


def _what(event: str, arguments: tuple[Any, ...]) -> str:
    match event:
        case "open":
            return f"open({arguments[0]!r})"
        case "socket.connect":
            return f"socket.connect({arguments[1]!r})"
        case _:
            return f"{event}()"
