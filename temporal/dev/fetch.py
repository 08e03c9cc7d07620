"""Gets the Weaviate server: for the stack, or ahead of time by `python -m temporal.dev.fetch`, as `make test` does."""

import asyncio
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from temporal.dev.cache import cache_folder
from temporal.dev.errors import StackError
from temporal.dev.lock import LOCK_NAME, hold_state
from temporal.dev.progress import Progress
from temporal.dev.supervisor import Supervisor
from temporal.dev.weaviate_binary import find_weaviate
from temporal.dev.weaviate_build import Build
from temporal.dev.weaviate_release import download


async def fetch_weaviate(supervisor: Supervisor, named: Path | None, *, log: Path, progress: Progress) -> Path:
    """Find it, or download it, or build it with the build's output in `log`."""
    cache = cache_folder()
    build = Build(supervisor, cache=cache, log=log, progress=progress)
    return await find_weaviate(
        named, cache=cache, ways=[partial(download, progress=progress), build], progress=progress
    )


async def _main() -> None:
    with TemporaryDirectory() as folder:
        state = Path(folder)
        async with hold_state(state) as lock, Supervisor(lock, state / LOCK_NAME) as supervisor:
            binary = await fetch_weaviate(supervisor, None, log=state / "build.log", progress=_show)
    _show("weaviate", str(binary))


def _show(component: str, message: str) -> None:
    print(f"{component}: {message}", flush=True)  # noqa: T201 -- this is a program


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except StackError as error:
        sys.exit(str(error))
