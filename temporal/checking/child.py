"""One process of a check: `python -m temporal.checking.child run|replay TASK RESULT`, both files of JSON."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import NoReturn

from agents.errors import FatalError
from temporal.checking.record import Task
from temporal.worker import ready_process

MISUSED = 2


async def main(mode: str, given: Path, result: Path) -> NoReturn:
    ready_process()  # before the agent's modules are loaded
    from temporal.checking.replaying import replay  # noqa: PLC0415 -- see above
    from temporal.checking.running import run  # noqa: PLC0415 -- see above

    task = Task.model_validate_json(given.read_bytes())  # noqa: ASYNC240 -- nothing else runs yet
    try:
        done = await run(task) if mode == "run" else await replay(task)
    except FatalError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- for the process that has started this one
        _leave(MISUSED)
    result.write_text(done.model_dump_json())  # noqa: ASYNC240 -- nothing else runs any more
    _leave(0)


def _leave(code: int) -> NoReturn:
    """At once: a workflow's thread may be stuck in the agent's code."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
