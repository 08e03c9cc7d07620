"""Picking loopback ports for the servers, and telling who holds one that is taken."""

import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeVar

from temporal.dev.errors import PortInUseError, PortLostError

Started = TypeVar("Started")

LOOPBACK = "127.0.0.1"
_EVERY_INTERFACE = ""
_RUN_ATTEMPTS = 100


def free_ports(count: int, *, consecutive: int = 1) -> tuple[int, ...]:
    """Different ports that are free on every interface, the first `consecutive` of them in a row.

    They are free now, not reserved: see `with_fresh_ports`.
    """
    with ExitStack() as held:
        run = _hold_run(held, consecutive)
        return (*run, *(_hold(held, 0) for _ in range(count - consecutive)))


def _hold_run(held: ExitStack, length: int) -> list[int]:
    for _ in range(_RUN_ATTEMPTS):
        with ExitStack() as attempt, suppress(OSError, OverflowError):
            run = [_hold(attempt, 0)]
            run += [_hold(attempt, run[0] + step) for step in range(1, length)]
            held.enter_context(attempt.pop_all())
            return run
    raise PortInUseError(f"Found no {length} free ports in a row. Stop some of the servers on this machine.")


def _hold(held: ExitStack, port: int) -> int:
    """Bind, without listening, for as long as `held` is open. Port 0 is any."""
    listener = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    listener.bind((_EVERY_INTERFACE, port))
    return int(listener.getsockname()[1])


async def with_fresh_ports(start: Callable[[], Awaitable[Started]], *, attempts: int = 3) -> Started:
    """Call `start`, which picks its own ports, again if another process takes one of them first."""
    for _ in range(attempts - 1):
        with suppress(PortLostError):
            return await start()
    return await start()


def require_free(port: int, *, purpose: str) -> None:
    """Refuse a port asked for by number that something else listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            holder = listening_process(port) or "another process"
            raise PortInUseError(
                f"Port {port} for {purpose} is taken by {holder} ({error.strerror}). "
                "Stop that process, or choose another port."
            ) from None


def listening_process(port: int) -> str | None:
    """Name the process that listens on `port`, as far as this user may see it."""
    pid = _pid_from_proc(port) if Path("/proc/net/tcp").exists() else _pid_from_lsof(port)
    if pid is None:
        return None
    name = subprocess.run(  # noqa: S603 -- fixed program, numeric argument
        ["ps", "-o", "comm=", "-p", str(pid)],  # noqa: S607 -- POSIX puts `ps` on every path
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{Path(name.stdout.strip()).name!r} (pid {pid})"


def _pid_from_proc(port: int) -> int | None:
    """Linux: find the listening socket's inode, then the process that has it open."""
    listening = "0A"
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        if (path := Path("/proc/net", table)).exists()
        for line in path.read_text().splitlines()[1:]
    ]
    inodes = {
        f"socket:[{row[9]}]" for row in rows if row[3] == listening and int(row[1].rpartition(":")[2], 16) == port
    }
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(descriptor.readlink()) in inodes:
                return int(descriptor.parts[2])
    return None


def _pid_from_lsof(port: int) -> int | None:
    """Find it on macOS, which has no /proc but always has `lsof`."""
    lsof = shutil.which("lsof")
    if lsof is None:
        return None
    found = subprocess.run(  # noqa: S603 -- fixed program, numeric argument
        [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t"], capture_output=True, text=True, check=False
    )
    return int(found.stdout.split()[0]) if found.stdout.strip() else None
