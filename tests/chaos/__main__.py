"""`make chaos`, or `python -m tests.chaos`: runs agents while their workers are killed, stopped and frozen.

Then it holds what the servers and the tools know against what Perdure promises. The same seed draws the same runs and
mishaps; what meets what is left to the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import warnings
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random, SystemRandom

from temporalio.client import Client

from agents import Registry
from temporal.converter import DATA_CONVERTER
from temporal.dev.dev_server import DYNAMIC_CONFIG, start_dev_server
from temporal.dev.errors import StackError
from temporal.dev.lock import LOCK_NAME, hold_state
from temporal.dev.supervisor import Supervisor
from tests.chaos import ledger
from tests.chaos.agents import AGENTS
from tests.chaos.clients import Clients, Run, called_by
from tests.chaos.plans import KINDS
from tests.chaos.promises import PROMISES, nothing_is_paid_twice, replays
from tests.chaos.report import Report
from tests.chaos.story import told
from tests.chaos.workers import Workers
from workflows.graph import Graphs

SHORT_EXECUTIONS = {"limit.historyCount.suggestContinueAsNew": "60"}
INTERRUPTED = 130


def main() -> int:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix=f"perdure-chaos-{options.seed}-"))
    os.environ[ledger.LEDGER] = str(folder / "ledger")
    report = Report(options.runs)
    warnings.filterwarnings("ignore", "coroutine .* was never awaited")  # of runs that are replayed and dropped
    try:
        asyncio.run(_pass(options, folder, report))
    except KeyboardInterrupt:
        return INTERRUPTED
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        if not report.violations:
            shutil.rmtree(folder, ignore_errors=True)
    drawn = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in vars(options).items())
    sys.stdout.write(f'\n{report.summary}\nThe same again: make chaos ARGS="{drawn}"\n')
    if report.violations:
        sys.stdout.write(f"Histories and logs: {folder}\n")
    return 1 if report.violations else 0


async def _pass(options: argparse.Namespace, folder: Path, report: Report) -> None:
    report.say(f"seed {options.seed}: {options.runs} runs, {options.at_once} at once")
    async with AsyncExitStack() as opened:
        lock = await opened.enter_async_context(hold_state(folder))
        supervisor = await opened.enter_async_context(Supervisor(lock, folder / LOCK_NAME))
        config = DYNAMIC_CONFIG | SHORT_EXECUTIONS
        server = await start_dev_server(
            supervisor, folder, namespace="default", port=None, ui_port=None, dynamic_config=config
        )
        client = await Client.connect(server.address, data_converter=DATA_CONVERTER)
        workers = Workers(supervisor, server.address, folder, Random(options.seed), report)
        async with workers.at_work():
            runs = await _lived(client, workers, options, report)
            runs += [agent for run in runs for agent in await called_by(client, run, report)]
        await _judge(client, runs, folder, report)


async def _lived(client: Client, workers: Workers, options: argparse.Namespace, report: Report) -> list[Run]:
    """All runs have ended when it returns. Mishaps stop after a time, for what can't end then never will."""
    calm, free = asyncio.Event(), asyncio.Semaphore(options.at_once)

    async def live(number: int) -> Run:
        random = Random(f"{options.seed}/{number}")
        kind = random.choice(KINDS)
        async with free:
            return await Clients(client, kind, f"{kind}-{options.seed}-{number}", random, report).live(calm)

    async def disturb() -> None:
        await workers.have_mishaps(options.seconds)
        report.say("no mishaps any more")
        calm.set()

    async with asyncio.TaskGroup() as group:
        disturbing = group.create_task(disturb())
        runs = await asyncio.gather(*map(live, range(options.runs)))
        disturbing.cancel()
    return [*runs]


async def _judge(client: Client, runs: list[Run], folder: Path, report: Report) -> None:
    entries = ledger.read()
    graphs = Graphs.of(Registry.of(AGENTS), lambda name: name or "planned")
    report.say(f"the histories of {len(runs)} runs and {len(entries)} notes of tools are looked at")
    for problem in nothing_is_paid_twice(entries):
        report.violation(problem)
    for run in runs:
        story = await told(client, run, entries)
        for number, history in enumerate(story.histories, 1):
            (folder / f"{run.id.replace('/', '_')}-{number}.json").write_text(history.to_json())
        for problem in [*(each for promise in PROMISES for each in promise(story)), *await replays(story, graphs)]:
            report.violation(f"{run.id}: {problem}")


def _options() -> argparse.Namespace:
    what, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=what, epilog=more)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10_000), help="drawn where none is given")
    parser.add_argument("--runs", type=_at_least_one, default=30, help="how many runs there are (30)")
    parser.add_argument("--at-once", type=_at_least_one, default=6, help="how many live at the same time (6)")
    parser.add_argument("--seconds", type=_at_least_one, default=90, help="how long workers have mishaps (90)")
    return parser.parse_args()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} where a number of at least 1 is expected")
    return number


if __name__ == "__main__":
    sys.exit(main())
