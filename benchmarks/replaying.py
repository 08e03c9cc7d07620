"""`python -m benchmarks.replaying REPLAYS HISTORY...`: the process that replays histories, as a restarted worker does.

Says for each, in a line of JSON, what it took. What is imported and built once per process is there before the first.
"""

from __future__ import annotations

import asyncio
import os
import pkgutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pydantic import BaseModel, ConfigDict
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory

if TYPE_CHECKING:
    from temporalio.worker import Replayer


class Replayed(BaseModel):
    """Seconds of the clock, and of CPU time, all threads of the process together."""

    model_config = ConfigDict(frozen=True)

    wall: float
    cpu: float


async def replay(replayer: Replayer, history: WorkflowHistory) -> Replayed:
    wall, cpu = time.perf_counter(), time.process_time()
    await replayer.replay_workflow(history)
    return Replayed(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


async def main(replays: str, *paths: str) -> None:
    replayer = pkgutil.resolve_name(replays)()
    for path in paths:
        print((await replay(replayer, _read(Path(path)))).model_dump_json(), flush=True)


def _read(path: Path) -> WorkflowHistory:
    return WorkflowHistory(path.stem, list(History.FromString(path.read_bytes()).events))


def end() -> NoReturn:
    asyncio.run(main(*sys.argv[1:]))
    os._exit(0)  # without the interpreter's shutdown, in which Temporal's threads crash now and then


if __name__ == "__main__":
    end()
