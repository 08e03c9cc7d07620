"""A check from beginning to end: a server of its own, a process that runs the agent, and processes that replay it.

report = await check("orders")
print(report.is_clean, report.findings)
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agents.errors import FatalError, InvalidInput
from temporal.checking.comparison import findings_of
from temporal.checking.record import Ran, Replayed, Script, Task
from temporal.checking.report import Report
from temporal.dev.dev_server import start_dev_server
from temporal.dev.lock import LOCK_NAME, hold_state
from temporal.dev.process import tail
from temporal.dev.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import BaseModel


RUN_SEED = 1
REPLAY_SEEDS = (2, 3, 4)
"""For Python's hashes of text: with each, sets have another order. Two words keep theirs in half of them."""

Done = TypeVar("Done", bound="BaseModel")


class CheckFailed(FatalError):
    """The check itself could not be done."""


@asynccontextmanager
async def check_server() -> AsyncIterator[str]:
    """The address of a dev server with nothing in it, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="perdure-check-") as folder:
        state = Path(folder)
        async with hold_state(state) as lock, Supervisor(lock, state / LOCK_NAME) as supervisor:
            server = await start_dev_server(supervisor, state, namespace="default", port=None, ui_port=None)
            yield server.address


async def check(
    agent: str,
    *,
    given: Any = None,
    script: Script | None = None,
    run_tools: bool = False,
    patience: float = 60.0,
    address: str | None = None,
) -> Report:
    """`agent` is an installed agent's name, or `module:attribute`. `given` is its input, by default a made-up one.

    Tools and nodes that run as activities are answered by made-up values, unless `run_tools` says otherwise. The run
    may take `patience` seconds. `address` is that of a server to use in place of one of its own.
    """
    if address is None:
        async with check_server() as own:
            return await check(agent, given=given, script=script, run_tools=run_tools, patience=patience, address=own)
    with tempfile.TemporaryDirectory(prefix="perdure-check-") as folder:
        task = Task(
            agent=agent,
            address=address,
            storage=Path(folder) / "storage",
            input=given,
            script=script or Script(),
            run_tools=run_tools,
            patience=patience,
        )
        ran = await _process("run", task, RUN_SEED, Path(folder), Ran)
        replays = await _replays(task, ran, Path(folder))
    return _report(ran, replays)


async def _replays(task: Task, ran: Ran, folder: Path) -> list[Replayed]:
    """None of a run that did not complete: that comes first."""
    if ran.outcome != "completed":
        return []
    again = task.model_copy(update={"history": ran.history, "workflow_id": ran.workflow_id})
    return list(await asyncio.gather(*(_process("replay", again, seed, folder, Replayed) for seed in REPLAY_SEEDS)))


async def _process(mode: str, task: Task, seed: int, folder: Path, kind: type[Done]) -> Done:
    name = f"{mode}-{seed}"
    given, result, log = (folder / f"{name}.{suffix}" for suffix in ("task", "result", "log"))
    given.write_text(task.model_dump_json())
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.child", mode, str(given), str(result)),
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": _path()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if code == 2:  # noqa: PLR2004 -- the caller's mistake
        raise InvalidInput(log.read_text().strip().splitlines()[-1])
    if not result.exists():
        raise CheckFailed(f"The process that was to {mode} {task.agent!r} ended with {code}:\n{tail(log)}")
    return kind.model_validate_json(result.read_bytes())


def _path() -> str:
    """The caller's folder first, as `python -m` has it, so that `module:attribute` is found from there."""
    return os.pathsep.join([str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])])


def _report(ran: Ran, replays: list[Replayed]) -> Report:
    places = ran.built.places if ran.built else []
    reached = {event.node for event in ran.seen.events} | {*ran.seen.open} | {each.node for each in ran.seen.refusals}
    return Report(
        agent=ran.agent,
        outcome="not built" if ran.problem else ran.outcome,
        reached=[place.path for place in places if place.path in reached],
        not_reached=[place.path for place in places if place.path not in reached],
        tools_called=[name for name in ran.tools if name in ran.steps],
        tools_not_called=[name for name in ran.tools if name not in ran.steps],
        made_up=ran.made_up,
        models=ran.models,
        replays=sum(len(replayed.passes) for replayed in replays),
        findings=findings_of(ran, replays),
    )
