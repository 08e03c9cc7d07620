"""`make bench`, or `python -m benchmarks`: measures, shows the table and writes it to RESULTS.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.process import ContestantFailed
from benchmarks.report import Circumstances, report
from benchmarks.rounds import run_rounds
from temporal.dev.errors import StackError

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("perdure", "langgraph", "langchain", "temporalio", "temporalio-langgraph")
ROUNDS = 7
QUICK_ROUNDS = 2
INTERRUPTED = 130


def main() -> int:
    options = _options()
    rounds: int = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    load_average = os.getloadavg()[0]
    try:
        made = asyncio.run(run_rounds(rounds, progress=_say))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ContestantFailed, StackError) as error:
        _say(str(error))
        return 1
    text = report(made, _circumstances(load_average, made.server_version))
    print(text)
    if options.quick:
        _say(f"A quick pass: {RESULTS.name} is left as it was.")
    else:
        RESULTS.write_text(f"{text}\n")
        _say(f"Written to {RESULTS.name}.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=_at_least_one, help=f"how often each is measured ({ROUNDS})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds, shown and not written")
    return parser.parse_args()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return number


def _circumstances(load_average: float, server: str) -> Circumstances:
    arguments = " ".join(sys.argv[1:])
    return Circumstances(
        command=f'make bench ARGS="{arguments}"' if arguments else "make bench",
        date=datetime.now(UTC).date().isoformat(),
        cores=os.cpu_count() or 1,
        load_average=load_average,
        versions={
            **{name: version(name) for name in PACKAGES},
            "Temporal server": server,
            "Python": platform.python_version(),
        },
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
