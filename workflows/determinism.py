"""Ids, time, randomness and scheduling of LangGraph and LangChain, taken from the workflow that runs them.

Both libraries call uuid4, uuid6, uuid7, the clock and `random`, hand synchronous code to an executor, and iterate
sets of tasks. Inside a workflow each of these would differ on replay, or hang. `install` replaces the names
through which they do it, once per process; the stand-ins act only on a workflow's own thread and fall through
everywhere else. `enter` readies the event loop of one workflow run.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.util
import random
import sys
import threading
import time
import types
import uuid
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, TypeVar

import langchain_core.utils.uuid as langchain_uuid
import langgraph.checkpoint.base.id as langgraph_id
from temporalio import workflow
from temporalio.worker._workflow_instance import _WorkflowBeingEvictedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator
    from contextvars import Context

Value = TypeVar("Value")

Evicted = _WorkflowBeingEvictedError
"""What code that cleans up runs into while a worker drops the run from its cache. It has no public name."""

UUID_EPOCH = 0x01B21DD213814000
"""Intervals of 100 ns between 1582-10-15, where UUID version 6 begins to count, and 1970-01-01 (RFC 9562)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_RUN = "__perdure_run__"

_UNRECORDED: ContextVar[bool] = ContextVar("perdure_unrecorded", default=False)
_UNRECORDED_TASKS = ("query: ", "update: ")
"""How Temporal's SDK begins the names of the tasks that answer queries and updates."""

_uuid4 = uuid.uuid4
_uuid6 = langgraph_id.uuid6
_uuid7 = langchain_uuid.uuid7


class _Run:
    """What one workflow run draws its ids from. It lives on the run's event loop."""

    __slots__ = ("checkpoints", "counter", "hashed", "last_tick", "random", "salt", "unrecorded")

    def __init__(self) -> None:
        info = workflow.info()
        self.random = workflow.new_random("perdure.determinism")
        self.salt = workflow.new_random("perdure.hashes").getrandbits(48)
        self.hashed = 0
        self.unrecorded = 0
        self.counter = 0
        self.checkpoints = random.Random(info.first_execution_run_id)  # noqa: S311 -- ids, no secrets
        self.last_tick = (info.workflow_start_time - _EPOCH) // timedelta(microseconds=1) * 10 + UUID_EPOCH

    def next_hash(self) -> int:
        """A replay sees no query and no refused update: what they make must not shift the others' numbers."""
        if _UNRECORDED.get():
            self.unrecorded += 1
            return self.salt - self.unrecorded
        self.hashed += 1
        return self.salt + self.hashed

    def next_tick(self) -> int:
        """Intervals of 100 ns since the UUID epoch; each call gives a larger one, from the execution's start on."""
        self.last_tick += 1
        return self.last_tick


def _current() -> _Run | None:
    loop = asyncio._get_running_loop()  # noqa: SLF001 -- the documented way to ask without raising
    return getattr(loop, _RUN, None)


# Ids


def uuid4() -> uuid.UUID:
    run = _current()
    return _uuid4() if run is None else uuid.UUID(int=run.random.getrandbits(128), version=4)


def uuid6(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """The ids of checkpoints, from which those of tasks and the keys of calls are made.

    Neither the clock nor Temporal's seed has a say: a run that is reset draws the same again.
    """
    run = _current()
    if run is None:
        return _uuid6(node, clock_seq)
    tick = run.next_tick()
    sequence = run.checkpoints.getrandbits(14) if clock_seq is None else clock_seq & 0x3FFF
    low = run.checkpoints.getrandbits(48) if node is None else node & 0xFFFF_FFFF_FFFF
    high = (tick >> 12) << 80 | (tick & 0xFFF) << 64
    return langgraph_id.UUID(int=high | sequence << 48 | low, version=6)


def uuid7(nanoseconds: int | None = None) -> uuid.UUID:
    run = _current()
    if run is None or nanoseconds is not None:
        return _uuid7(nanoseconds)
    run.counter += 1
    milliseconds = (workflow.time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF
    counter = (run.counter >> 30 & 0xFFF) << 64 | (run.counter & 0x3FFF_FFFF) << 32
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | counter | run.random.getrandbits(32))


# The clock


def time_ns() -> int:
    return time.time_ns() if _current() is None else workflow.time_ns()


def time_seconds() -> float:
    return time.time() if _current() is None else workflow.time()


def monotonic() -> float:
    return time.monotonic() if _current() is None else workflow.time()


class WorkflowDatetime(datetime):
    """`datetime`, but `now` asks the workflow."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # a plain datetime, as callers keep it
        if _current() is None:
            return datetime.now(tz)
        return datetime.fromtimestamp(workflow.time(), tz or UTC)


# Modules: a library that holds the whole module sees one whose telling names are replaced


class _ModuleView(types.ModuleType):
    def __init__(self, module: types.ModuleType, **replaced: Any) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(replaced, _perdure_module=module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_perdure_module"], name)


def _drawn(name: str) -> Callable[..., Any]:
    """`random.<name>`, drawn from the workflow's own generator where there is one."""
    original = getattr(random, name)

    def draw(*args: Any, **kwargs: Any) -> Any:
        run = _current()
        return original(*args, **kwargs) if run is None else getattr(run.random, name)(*args, **kwargs)

    return draw


def local() -> Any:
    """What belongs to a thread elsewhere belongs to who made it here: a run wakes on any of the worker's threads."""
    return threading.local() if _current() is None else types.SimpleNamespace()


_DRAWS = ("random", "uniform", "getrandbits", "randint", "randrange", "choice", "choices", "shuffle", "sample")

STAND_INS: dict[int, Any] = {
    id(_uuid4): uuid4,
    id(_uuid6): uuid6,
    id(_uuid7): uuid7,
    id(datetime): WorkflowDatetime,
    id(time.monotonic): monotonic,
    id(uuid): _ModuleView(uuid, uuid4=uuid4),
    id(random): _ModuleView(random, **{name: _drawn(name) for name in _DRAWS}),
    id(threading): _ModuleView(threading, local=local),
    id(time): _ModuleView(
        time,
        time=time_seconds,
        time_ns=time_ns,
        monotonic=monotonic,
        perf_counter=monotonic,
    ),
}
"""What replaces an object, by the object's identity."""

_INSTALLED = frozenset(id(stand_in) for stand_in in STAND_INS.values())

LIBRARIES = frozenset({"langgraph", "langchain", "langchain_core", "deepagents", "tenacity"})
"""`tenacity` does the retries of LangChain's `with_retry`."""

SITES: tuple[str, ...] = (
    "langchain.agents.middleware._retry.random",
    "langchain.agents.middleware.model_retry.time",
    "langchain.agents.middleware.summarization.uuid",
    "langchain.agents.middleware.tool_retry.time",
    "langchain.agents.structured_output.uuid",
    "langchain_core.callbacks.manager.uuid7",
    "langchain_core.runnables.config.uuid",
    "langchain_core.tracers.core.datetime",
    "langchain_core.tracers.event_stream.uuid7",
    "langchain_core.utils.function_calling.uuid",
    "langchain_core.utils.utils.uuid4",
    "langchain_core.utils.uuid.uuid7",
    "langgraph._internal._queue.monotonic",
    "langgraph.checkpoint.base.id.uuid6",
    "langgraph.checkpoint.base.uuid6",
    "langgraph.checkpoint.memory.random",
    "langgraph.graph.message.uuid",
    "langgraph.graph.ui.uuid4",
    "langgraph.pregel._checkpoint.datetime",
    "langgraph.pregel._checkpoint.uuid6",
    "langgraph.pregel._executor.time",
    "langgraph.pregel._loop.datetime",
    "langgraph.pregel._messages.uuid4",
    "langgraph.pregel._retry.datetime",
    "langgraph.pregel._retry.random",
    "langgraph.pregel._retry.time",
    "langgraph.pregel._runner.time",
    "langgraph.store.memory.datetime",
    "langgraph.stream._convert.time",
    "langgraph.stream._mux.time",
    "tenacity.threading",
    "tenacity.time",
    "tenacity.wait.random",
)
"""Every name through which these libraries, in graph code, reach what differs from run to run."""

DEEPAGENTS_SITES: tuple[str, ...] = (
    "deepagents.backends.utils.datetime",
    "deepagents.middleware._message_eviction.uuid4",
    "deepagents.middleware._overflow_clip.uuid",
    "deepagents.middleware.filesystem.uuid",
    "deepagents.middleware.rubric.uuid",
    "deepagents.middleware.summarization.datetime",
    "deepagents.middleware.summarization.uuid",
)
"""The same of `deepagents`, where it is installed."""

UNPATCHED: frozenset[str] = frozenset(
    {
        # middleware and limiters that do their own I/O or waiting belong in activities
        "langchain.agents.middleware.file_search.datetime",
        "langchain.agents.middleware.shell_tool.time",
        "langchain.agents.middleware.shell_tool.uuid",
        "langchain_core.document_loaders.langsmith.uuid",
        "langchain_core.indexing.api.uuid",
        "langchain_core.indexing.base.time",
        "langchain_core.indexing.in_memory.uuid",
        "langchain_core.rate_limiters.time",
        "langchain_core.vectorstores.in_memory.uuid",
        "deepagents.backends.context_hub.time",
        "deepagents.backends.filesystem.datetime",
        "deepagents.backends.filesystem.time",
        "deepagents.backends.local_shell.uuid",
        "deepagents.middleware._video.time",
        "deepagents.middleware.async_subagents.datetime",
        "deepagents.profiles.harness._nvidia_nemotron_3_ultra.time",
        "deepagents.profiles.harness._nvidia_nemotron_3_ultra.uuid",
        # tracing is off in workflows
        "langchain_core.tracers.langchain.datetime",
        # drawing a graph
        "langchain_core.runnables.graph.uuid4",
        "langchain_core.runnables.graph_mermaid.random",
        "langchain_core.runnables.graph_mermaid.time",
        # nothing but `time.sleep`, which is refused
        "langchain_core.language_models.fake.time",
        "langchain_core.language_models.fake_chat_models.time",
        "tenacity.nap.time",
        # type checks, no clock
        "langgraph.checkpoint.serde.jsonplus.datetime",
        "langgraph.store.base.datetime",
        # reached through the functions that are replaced themselves
        "langgraph.checkpoint.base.id.random",
        "langgraph.checkpoint.base.id.time",
        "langgraph.checkpoint.base.id.uuid",
        "langgraph.pregel._checkpoint.uuid",
    }
)
"""Names that hold the same objects and are left alone, each for the reason beside it."""


def as_completed(awaitables: Iterable[Awaitable[Any]], *, timeout: float | None = None) -> Iterator[Awaitable[Any]]:
    """`asyncio.as_completed` starts its coroutines in the order of their addresses."""
    if _current() is None:
        return _as_completed(awaitables, timeout=timeout)
    return workflow.as_completed(list(awaitables), timeout=timeout)


_as_completed = asyncio.as_completed


def install() -> None:
    """Replace every site, once per process. Raises `RuntimeError` where a library has moved one.

    `asyncio.as_completed` is replaced where it stands: LangChain and graphs alike call it there.
    """
    asyncio.as_completed = as_completed  # type: ignore[assignment] # narrower, as callers use it
    if _note_collection not in gc.callbacks:
        gc.callbacks.append(_note_collection)
    for site in (*SITES, *(DEEPAGENTS_SITES if importlib.util.find_spec("deepagents") else ())):
        module_name, _, name = site.rpartition(".")
        module = importlib.import_module(module_name)
        held = getattr(module, name, None)
        if id(held) in _INSTALLED:
            continue
        if id(held) not in STAND_INS:
            raise RuntimeError(
                f"{site} is not what it was: this version of {module_name.partition('.')[0]} can't be made "
                "deterministic. Install the versions that the lock names."
            )
        setattr(module, name, STAND_INS[id(held)])


def unlisted() -> Iterator[str]:
    """Names in the loaded libraries that hold a replaceable object and stand in neither list.

    `threading` is left out: nearly all of its users take locks, which are the same everywhere.
    """
    for module_name, module in sorted(sys.modules.items()):
        if module_name.partition(".")[0] not in LIBRARIES:
            continue
        for name, held in vars(module).items():
            site = f"{module_name}.{name}"
            if id(held) in STAND_INS and held is not threading and site not in UNPATCHED:
                yield site


def is_leaving() -> bool:
    """Whether the run that is running leaves its worker's cache. It is cancelled, and can begin nothing any more."""
    return bool(getattr(asyncio._get_running_loop(), "_deleting", False))  # noqa: SLF001 -- as in `_current`


# Asynchronous generators that are left before their end


@contextmanager
def closing_generators() -> Iterator[None]:
    """While a run is activated: what closes them belongs to the thread, and to asyncio's own loops alone."""
    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=_close)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*before)


def _close(generator: AsyncGenerator[Any, Any]) -> None:
    """As asyncio's own loops do it. What the garbage collector finds stays open."""
    if _is_at_work():
        asyncio.get_running_loop().create_task(generator.aclose())


def _is_at_work() -> bool:
    """Whether a run does what its code says. The garbage collector comes at any time, and to things of any run."""
    return _current() is not None and not is_leaving() and threading.get_ident() not in _COLLECTING


_COLLECTING: set[int] = set()
"""Threads in which the garbage collector is at work."""


def _note_collection(phase: str, _info: object) -> None:
    (_COLLECTING.add if phase == "start" else _COLLECTING.discard)(threading.get_ident())


# The event loop of a run


class _HashedTask(asyncio.Task[Any]):
    """A task whose hash is its number in the run, so that sets of tasks have one order on every replay."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        *,
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
        number: int,
    ) -> None:
        # asyncio puts the task into a weak set, and so hashes it, while it is being made
        self._number = number
        super().__init__(coroutine, loop=loop, context=context)

    def __hash__(self) -> int:
        return self._number

    __eq__ = object.__eq__


class _HashedFuture(asyncio.Future[Any]):
    def __init__(self, *, loop: asyncio.AbstractEventLoop, number: int) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number

    __eq__ = object.__eq__


def _settle(future: asyncio.Future[Any], function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        future.set_result(function(*args))
    except (asyncio.CancelledError, Evicted):
        raise
    except StopIteration as error:
        future.set_exception(_tamed(error))  # a future can't carry it
    except Exception as error:  # noqa: BLE001 -- an executor hands on whatever its function raised
        future.set_exception(error)
    except BaseException as error:  # noqa: BLE001 -- it would end the worker
        future.set_exception(_tamed(error))


async def contained(coroutine: Coroutine[Any, Any, Value]) -> Value:
    """`sys.exit()` in a node would end the worker's event loop, and every run on it. A coroutine that is dropped raises
    `GeneratorExit`, which says nothing of the run.
    """
    try:
        return await coroutine
    except (Exception, asyncio.CancelledError, Evicted):
        raise
    except BaseException as error:
        if isinstance(error, GeneratorExit) and not _is_at_work():
            raise
        raise _tamed(error) from error


def _tamed(error: BaseException) -> RuntimeError:
    return RuntimeError(f"Graph code raised {type(error).__name__}, which is not for graphs to raise: {error}")


def enter() -> None:
    """Ready the running workflow's event loop. Call it where a run, a signal or an update begins."""
    # The loop is Temporal's workflow instance, whose type is private: what is set here has no public name.
    loop: Any = asyncio.get_running_loop()
    if getattr(loop, _RUN, None) is not None:
        return
    run = _Run()

    def create_task(
        coroutine: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        if name is not None and name.startswith(_UNRECORDED_TASKS):
            context = context or copy_context()
            context.run(_UNRECORDED.set, True)  # noqa: FBT003 -- the variable's value
        number = context.run(run.next_hash) if context else run.next_hash()
        task = _HashedTask(contained(coroutine), loop=loop, context=context, number=number)
        loop._register_task(task, name=name)  # noqa: SLF001 -- as the loop's own create_task does
        return task

    def create_future() -> asyncio.Future[Any]:
        return _HashedFuture(loop=loop, number=run.next_hash())

    def run_in_executor(_executor: object, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Synchronous nodes, edges and tools run at once: a workflow has no threads."""
        future = create_future()
        _settle(future, function, args)
        return future

    def call_soon_threadsafe(
        callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle: asyncio.Handle = loop.call_soon(callback, *args, context=context)
        return handle

    loop.create_task = create_task
    loop.create_future = create_future
    loop.run_in_executor = run_in_executor
    loop.call_soon_threadsafe = call_soon_threadsafe
    setattr(loop, _RUN, run)
