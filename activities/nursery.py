"""The process that forks processes for tools. One thread, and nothing of a user's code is loaded in it.

The worker sends a socket, and a process is forked that has it; or a process id, and is told how that one ended. When
the worker is gone, however it went, every process is killed.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = struct.Struct("!q")
"""A process id whose end is asked for, or zero: fork. One socket comes with it then."""

STATUS = struct.Struct("!q")
TOLD = STATUS.size
GONE = -1


def encoded(pid: int) -> bytes:
    return COMMAND.pack(pid)


def tend(control: socket.socket, serve: Callable[[socket.socket], NoReturn]) -> NoReturn:
    """Forks on demand until the worker is gone. `serve` is what a new process does."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    alive: set[int] = set()
    while command := _next(control):
        pid, sockets = command
        if pid:
            control.sendall(STATUS.pack(_status(pid)))
            alive.discard(pid)
        for each in sockets:
            with suppress(OSError), socket.socket(fileno=each) as channel:  # no more processes: the worker sees it end
                if (child := os.fork()) == 0:
                    _begin(control, channel, serve)
                alive.add(child)
    for each in alive:
        _kill(each)
    os._exit(0)


def _next(control: socket.socket) -> tuple[int, list[int]] | None:
    try:
        data, sockets, _, _ = socket.recv_fds(control, COMMAND.size, 1)
        while data and len(data) < COMMAND.size:
            data += control.recv(COMMAND.size - len(data))
    except OSError:
        return None
    return (COMMAND.unpack(data)[0], sockets) if data else None


def _begin(control: socket.socket, channel: socket.socket, serve: Callable[[socket.socket], NoReturn]) -> NoReturn:
    """In the new process: a group of its own, and signals as they are usual."""
    try:
        os.setsid()
        control.close()
        for usual in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(usual, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        serve(channel)
    finally:
        sys.stderr.flush()
        os._exit(1)


def _status(pid: int) -> int:
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return GONE


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
