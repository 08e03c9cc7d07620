"""Catches I/O done by graph code inside a workflow, by an audit hook, and names the node and the line that did it.

Modules that pass through Temporal's sandbox have no restrictions there, so this is what stands between a careless
node and a run that can't be replayed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Never, SupportsIndex

from langchain_core.runnables.config import var_child_runnable_config
from temporalio import workflow

from agents.errors import BlockingCall
from agents.graph import EXECUTE_IN
from workflows.lines import FRAMEWORK, authors_line, package_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

FORBIDDEN = frozenset(
    {
        "builtins.input",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.listdir",
        "os.mkdir",
        "os.posix_spawn",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.scandir",
        "os.startfile",
        "os.system",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.sendmsg",
        "socket.sendto",
        "sqlite3.connect",
        "subprocess.Popen",
        "urllib.Request",
    }
)
PYTHON_FILES = (".py", ".pyc", ".so", ".pyd", ".dylib", ".pyi")

LOOPS_IO = (
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "sock_connect",
    "subprocess_exec",
    "subprocess_shell",
)
"""What an event loop does with the world. A workflow's loop has none of it, and would say no more than that."""

IN_A_TOOL = 'Move it to a tool, whose body runs in an activity, or give the node `metadata={"execute_in": "activity"}`.'
IN_A_NODE = "Edges run in the workflow, wherever their node runs: let a node do it, and the edge read what that wrote."

WITNESS: ContextVar[Callable[[str | None, str | None, str], None] | None] = ContextVar("perdure_witness", default=None)
"""Is told the node, the line and the message of what is refused, even where graph code catches the exception."""

_installed = False


def install() -> None:
    """Put the hook in place, once per process: Python has no way to take one out.

    Before Python 3.13 no audit event tells of `time.sleep` and of threads: these are replaced. Install before authors'
    modules are loaded: `from time import sleep` keeps what it finds.
    """
    global _installed  # noqa: PLW0603 -- see above
    if not _installed:
        sys.addaudithook(_audit)
        time.sleep = _no_sleep
        threading.Thread.start = _no_thread  # type: ignore[method-assign]
        _installed = True


def enter() -> None:
    """Let the running workflow's event loop say which node asked it for I/O. Call it where a run begins."""
    loop = asyncio.get_running_loop()
    for name, refuse in _REFUSALS.items():
        setattr(loop, name, refuse)


def _refusing(name: str) -> Callable[..., Never]:
    def refuse(*_arguments: object, **_options: object) -> Never:
        _refuse(f"asynchronous I/O ({name})", f"which a workflow does not have. {IN_A_TOOL}")

    return refuse


_REFUSALS = {name: _refusing(name) for name in LOOPS_IO}
_sleep = time.sleep
_start = threading.Thread.start


def _no_sleep(seconds: float | SupportsIndex, /) -> None:
    if workflow.in_workflow():
        why = "where it blocks the worker. Use `await asyncio.sleep(...)`, which is a durable timer."
        _refuse(f"time.sleep({seconds!r})", why)
    _sleep(seconds)


def _no_thread(self: threading.Thread) -> None:
    if _is_watched() and not _is_frameworks():
        _refuse("start a thread", f"where none can be replayed. Use `asyncio.gather`. {IN_A_TOOL}", verb="tried to ")
    _start(self)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in FORBIDDEN and not (event == "open" and _is_data(arguments[0])):
        return
    if _is_watched() and not _is_importing():
        _refuse(_what(event, arguments), f"which can't be replayed. {IN_A_TOOL}")


def _is_watched() -> bool:
    return workflow.in_workflow() and not workflow.unsafe.is_sandbox_unrestricted()


def _is_data(path: object) -> bool:
    """Python opens its own files when it prints a traceback, and tries `<unknown>` or `<string>` at a syntax error."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return False
    name = os.fsdecode(path)
    return not name.endswith(PYTHON_FILES) and not (name.startswith("<") and name.endswith(">"))


def _is_importing() -> bool:
    """A module that is first needed in a workflow is read, and its bytecode written, there."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 -- the way to look at one's callers
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _is_frameworks() -> bool:
    """LangGraph and LangChain start threads for what is called synchronously, and wait for them."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 -- ditto
    while frame is not None and package_of(frame) in sys.stdlib_module_names:
        frame = frame.f_back
    return frame is not None and package_of(frame) in FRAMEWORK


def node_name() -> str | None:
    """The node whose code is running."""
    config = var_child_runnable_config.get() or {}
    name = (config.get("metadata") or {}).get("langgraph_node")
    return str(name) if name else None


def _is_activity() -> bool:
    """Whether the node whose code is running runs as an activity."""
    metadata = (var_child_runnable_config.get() or {}).get("metadata") or {}
    return bool(metadata.get(EXECUTE_IN) == "activity")


def _refuse(what: str, why: str, *, verb: str = "did ") -> Never:
    node = node_name()
    line = authors_line(sys._getframe())  # noqa: SLF001 -- ditto
    place = f" ({line})" if line else ""
    who = f"Node {node!r}" if node else "Graph code"
    if node and _is_activity():  # then nothing of it but its edges runs here
        who, why = f"An edge from node {node!r}", why.replace(IN_A_TOOL, IN_A_NODE)
    said = f"{who} {verb}{what} inside a workflow{place}, {why}"
    if witness := WITNESS.get():
        witness(node, line, said)
    raise BlockingCall(said)


def _what(event: str, arguments: tuple[Any, ...]) -> str:
    match event:
        case "open":
            return f"open({os.fsdecode(arguments[0])!r})"
        case "socket.connect":
            return f"socket.connect({arguments[1]!r})"
        case "builtins.input":
            return "input()"
        case _:
            return f"{event}()"
