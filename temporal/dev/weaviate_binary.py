"""Finding the Weaviate server: a binary named by the caller, the user's cache, a download, a build."""

import os
import platform
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from temporal.dev.errors import BinaryUnavailableError
from temporal.dev.lock import hold
from temporal.dev.progress import Progress

VERSION = "1.35.2"

Way = Callable[[Path], Awaitable[None]]
"""Puts the binary at a path, whole or not at all, or raises BinaryUnavailableError."""


async def find_weaviate(named: Path | None, *, cache: Path, ways: Sequence[Way], progress: Progress) -> Path:
    """Return the binary, trying the `ways` one after another when the cache has none yet."""
    if named is not None:
        return _require_program(named)
    binary = cached_path(cache)
    if _is_program(binary):
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    lock = binary.with_name(f"{binary.name}.lock")
    async with hold(lock, on_wait=lambda: progress("weaviate", "another process is fetching it; waiting")):
        if not _is_program(binary):
            await _first_that_works(ways, binary, progress)
    return binary


def cached_path(cache: Path) -> Path:
    """Where this machine's binary of this version lives."""
    return cache / "bin" / f"weaviate-{VERSION}-{platform.system().lower()}-{platform.machine()}"


async def _first_that_works(ways: Sequence[Way], binary: Path, progress: Progress) -> None:
    reasons = []
    for way in ways:
        try:
            await way(binary)
        except BinaryUnavailableError as error:
            progress("weaviate", str(error).partition("\n")[0])
            reasons.append(str(error))
        else:
            return
    raise BinaryUnavailableError(
        f"No Weaviate {VERSION} for this machine. Tried:\n"
        + "".join(f"- {reason}\n" for reason in reasons)
        + f"Put a binary at {str(binary)!r}, name one in the settings, or give the URL of a running Weaviate."
    )


def _require_program(path: Path) -> Path:
    if not _is_program(path):
        raise BinaryUnavailableError(
            f"The Weaviate binary {str(path)!r} is no program that this user may run. Correct its setting, or "
            "leave it out to have one found."
        )
    return path


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
