"""File locks between processes: one stack per state folder, one download or build of a binary at a time.

A `flock` belongs to the open file, which children may inherit: it is held until the last of them has ended.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from temporal.dev.errors import StateInUseError

LOCK_NAME = "stack.lock"
_RETRY_EVERY = 0.1  # seconds
_LEFTOVERS_LAST = 10.0  # seconds that the servers of a killed owner may take to end


@asynccontextmanager
async def hold_state(state: Path) -> AsyncIterator[int]:
    """Hold `state` for one stack, and yield the lock's descriptor for its children to inherit."""
    with _opened(state / LOCK_NAME) as lock:
        try:
            async with asyncio.timeout(_LEFTOVERS_LAST):
                await _acquire(lock, on_wait=lambda: _refuse_if_alive(state, _owner(lock)))
        except TimeoutError:
            raise _in_use(state, "servers whose owner died") from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield lock


@asynccontextmanager
async def hold(path: Path, *, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock file at `path`; `on_wait` is called again and again while another process has it."""
    with _opened(path) as lock:
        await _acquire(lock, on_wait=on_wait)
        yield


def is_held(state: Path) -> bool:
    """Whether any process of a stack over `state` lives."""
    try:
        lock = os.open(state / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def is_alive(pid: int) -> bool:
    """Whether a process has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _acquire(lock: int, *, on_wait: Callable[[], None]) -> None:
    while not _try(lock, fcntl.LOCK_EX):
        on_wait()
        await asyncio.sleep(_RETRY_EVERY)


def _try(lock: int, kind: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
        return True
    return False


def _owner(lock: int) -> int | None:
    written = os.pread(lock, 20, 0)
    return int(written) if written.isdigit() else None


def _refuse_if_alive(state: Path, owner: int | None) -> None:
    """Refuse while the owner lives. A dead owner's servers are about to end: worth waiting for."""
    if owner is not None and is_alive(owner):
        raise _in_use(state, f"process {owner}")


def _in_use(state: Path, holder: str) -> StateInUseError:
    return StateInUseError(
        f"Another stack lives in {str(state)!r}, held by {holder}. Use that one, stop it, or choose another "
        "state folder."
    )
