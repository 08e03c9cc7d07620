"""`python -m benchmarks.serve OPENS ADDRESS TASK_QUEUE`: the process of one contestant.

It has a process of its own so that its CPU time is its own, and so that what one patches reaches no other. It answers
each line of stdin with a line on stdout, and ends with stdin: also when the parent was killed.
"""

from __future__ import annotations

import asyncio
import os
import pkgutil
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from benchmarks.load import Load, drive

if TYPE_CHECKING:
    from benchmarks.load import Run

READY = "ready"
CPU = "cpu"


async def serve(opens: str, address: str, task_queue: str) -> None:
    async with pkgutil.resolve_name(opens)(address, task_queue) as run:
        _say(READY)
        while line := await asyncio.to_thread(sys.stdin.readline):
            _say(await _answer(line.strip(), run))


async def _answer(request: str, run: Run | None) -> str:
    """To `cpu` the seconds of CPU time so far; to the JSON of a load, what driving it gave."""
    if request == CPU:
        return str(time.process_time())
    if run is None:
        raise LookupError("Runs of a workflow are started by the parent.")
    return (await drive(run, Load.model_validate_json(request))).model_dump_json()


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> NoReturn:
    asyncio.run(serve(*sys.argv[1:]))
    os._exit(0)  # without the interpreter's shutdown, in which Temporal's threads crash now and then


if __name__ == "__main__":
    main()
