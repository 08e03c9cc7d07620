"""Tools of every effect, which note what they do and then end well or in some other way."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from temporalio import activity

from agents import Done, StepOptions, durable, idempotency_key
from agents.options import tool_options
from tests.chaos.ledger import note, read

HANGING = 60.0
"""Seconds, longer than any step may take."""

BLOCKING = 4.0
"""Seconds without an answer, but within a step's time."""

QUICK = StepOptions(local=True, timeout=timedelta(seconds=5), attempts=3)


class NotFoundError(Exception):
    """Called as the SDK's, which means that no worker knows the activity."""


def _raise(error: BaseException) -> NoReturn:
    raise error


def _dig() -> Any:
    return _dig()


ENDS: dict[str, Callable[[], Any]] = {
    "raises": lambda: _raise(ValueError("broken")),
    "tells the model": lambda: _raise(ToolException("no")),
    "exits": lambda: sys.exit(3),
    "is interrupted": lambda: _raise(KeyboardInterrupt()),
    "digs too deep": _dig,
    "says too much": lambda: _raise(ValueError("x" * 3_000_000)),
    "gives no data": object,
    "gives much": lambda: "y" * 300_000,
    "ends its process": lambda: os._exit(7),
    "is not found": lambda: _raise(NotFoundError("nothing has that id")),
    "raises the base": lambda: _raise(BaseException("base")),
    "stops an iteration": lambda: _raise(StopIteration()),
    "closes a generator": lambda: _raise(GeneratorExit()),
    "cancels itself": lambda: _raise(asyncio.CancelledError()),
}
"""How a body ends that does not end well, by mode."""

DWELLS = ("hangs", "ignores its cancellation", "blocks")
"""Modes in which it takes long."""


def end(mode: str, *, spare_process: bool = False) -> Any:
    """`spare_process` where it is the worker's."""
    mode = "raises" if spare_process and mode == "ends its process" else mode
    return ENDS.get(mode, lambda: "done")()


def dwell(mode: str, seconds: float) -> None:
    if mode == "blocks":
        time.sleep(BLOCKING)
    elif mode == "hangs":
        time.sleep(HANGING)
    elif mode == "ignores its cancellation":
        over = time.monotonic() + HANGING
        while time.monotonic() < over:
            with suppress(BaseException):
                time.sleep(0.2)
    else:
        time.sleep(seconds)


async def adwell(mode: str, seconds: float) -> None:
    if mode == "blocks":
        time.sleep(BLOCKING)  # noqa: ASYNC251 -- on purpose
    elif mode == "hangs":
        await asyncio.sleep(HANGING)
    elif mode == "ignores its cancellation":
        over = time.monotonic() + HANGING
        while time.monotonic() < over:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.2)
    else:
        await asyncio.sleep(seconds)


def _synchronous(name: str, **options: Any) -> BaseTool:
    def act(mode: str, seconds: float = 0.0) -> Any:
        """Act."""
        key = idempotency_key()
        note("began", name, key, mode)
        dwell(mode, seconds)
        given = end(mode)
        note("ended", name, key, mode)
        return given

    return durable(**options)(StructuredTool.from_function(act, name=name))


def _asynchronous(name: str, **options: Any) -> BaseTool:
    async def act(mode: str, seconds: float = 0.0) -> Any:
        """Act."""
        key = idempotency_key()
        note("began", name, key, mode)
        await adwell(mode, seconds)
        given = end(mode, spare_process=True)
        note("ended", name, key, mode)
        return given

    return durable(**options)(StructuredTool.from_function(coroutine=act, name=name))


def reconcile(key: str) -> Any:
    mine = {entry.what for entry in read() if entry.key == key}
    found = "done" if "ended" in mine else "unknown" if "began" in mine else "not_done"
    note("looked up", "", key, found)
    return Done("as found") if found == "done" else found


async def areconcile(key: str) -> Any:
    return reconcile(key)


def compensate(_result: Any, key: str) -> None:
    time.sleep(0.05)
    note("undone", "", key)


async def acompensate(_result: Any, key: str) -> None:
    await asyncio.sleep(0.05)
    note("undone", "", key)


def compensate_the_second_time(_result: Any, key: str) -> None:
    if activity.info().attempt == 1:
        raise OSError("not now")
    note("undone", "", key)


TOOLS = [
    _synchronous("reads", effect="read"),
    _asynchronous("areads", effect="read"),
    _synchronous("repeats", effect="idempotent"),
    _asynchronous("arepeats", effect="idempotent"),
    _asynchronous("arepeats_undone", effect="idempotent", compensate=acompensate, reconcile=areconcile),
    _synchronous("pays", when_unknown="tell_model"),
    _asynchronous("apays", when_unknown="ask_person"),
    _synchronous("pays_or_fails", when_unknown="fail_run"),
    _synchronous("pays_found", reconcile=reconcile, when_unknown="ask_person"),
    _asynchronous("apays_found", reconcile=areconcile, when_unknown="tell_model"),
    _synchronous("destroys", effect="destructive", when_unknown="tell_model"),
    _asynchronous("adestroys", effect="destructive", when_unknown="tell_model", compensate=acompensate),
    _synchronous("books", compensate=compensate, when_unknown="tell_model"),
    _asynchronous("abooks", compensate=acompensate, reconcile=areconcile, when_unknown="tell_model"),
    _synchronous("books_badly", compensate=compensate_the_second_time, reconcile=reconcile, when_unknown="tell_model"),
    _asynchronous("alocal", effect="read", step=QUICK),
    _synchronous("local", effect="idempotent", step=QUICK),
]

NAMES = [tool.name for tool in TOOLS]
OPTIONS = {tool.name: tool_options(tool) for tool in TOOLS}
LOCAL = {"alocal", "local"}
