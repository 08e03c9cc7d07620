"""`make bench`, or `python -m benchmarks`: measures, shows what it found and writes it to RESULTS.md.

All parts take about half an hour on two quiet cores. A part that is not run keeps what RESULTS.md says of it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import growth, idle, replay, rounds, streams
from benchmarks.circumstances import circumstances
from benchmarks.process import ContestantFailed
from benchmarks.reports import growth as growth_report
from benchmarks.reports import idle as idle_report
from benchmarks.reports import replay as replay_report
from benchmarks.reports import runs as runs_report
from benchmarks.reports import streams as streams_report
from benchmarks.results import merged
from temporal.dev.errors import StackError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from benchmarks.circumstances import Circumstances

RESULTS = Path(__file__).with_name("RESULTS.md")
PARTS = {
    "throughput": "What a durable step costs",
    "growth": "How the history of a chat grows",
    "replay": "How long a chat takes to replay",
    "streams": "How late a watcher hears a token",
    "idle": "What idle threads cost",
}
ROUNDS = {"throughput": 5, "replay": 3}
QUICK_ROUNDS = 2
QUICK_AT_ONCE = 3
QUICK_SIZES = (2, 10)
QUICK_THREADS = 100
INTERRUPTED = 130


def main() -> int:
    options = _options()
    at = circumstances()
    try:
        asyncio.run(_run(options, at))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ContestantFailed, StackError) as error:
        _say(str(error))
        return 1
    return 0


async def _run(options: argparse.Namespace, at: Circumstances) -> None:
    """Each part is written when it is done: what fails later takes nothing away."""
    async for part, text in _measure(options, at):
        print(f"# {PARTS[part]}\n\n{text}\n", flush=True)
        if options.quick:
            _say(f"A quick pass: {RESULTS.name} is left as it was.")
        else:
            RESULTS.write_text(merged(RESULTS.read_text(), {PARTS[part]: text}, list(PARTS.values())))
            _say(f"Written to {RESULTS.name}.")


async def _measure(options: argparse.Namespace, at: Circumstances) -> AsyncIterator[tuple[str, str]]:
    if "throughput" in options.parts:
        made = await rounds.run_rounds(_rounds(options, "throughput"), progress=_progress("throughput"))
        yield "throughput", runs_report.report(made, at)
    if "streams" in options.parts:
        at_once = QUICK_AT_ONCE if options.quick else streams.AT_ONCE
        yield "streams", streams_report.report(await streams.hear_streams(at_once, progress=_progress("streams")), at)
    if "idle" in options.parts:
        kept = await idle.keep_idle(
            options.threads or (QUICK_THREADS if options.quick else idle.THREADS), progress=_progress("idle")
        )
        yield "idle", idle_report.report(kept, at)
    if {"growth", "replay"}.isdisjoint(options.parts):
        return
    sizes = QUICK_SIZES if options.quick else growth.SIZES
    chats = await growth.hold_chats(sizes, progress=_progress("growth"))
    if "growth" in options.parts:
        yield "growth", growth_report.report(chats, at)
    if "replay" in options.parts:
        replays = await replay.replay_chats(chats, _rounds(options, "replay"), progress=_progress("replay"))
        yield "replay", replay_report.report(replays, at)


def _rounds(options: argparse.Namespace, part: str) -> int:
    found: int = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS[part])
    return found


def _options() -> argparse.Namespace:
    what, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=what, epilog=more)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        type=_part,
        default=list(PARTS),
        help="throughput (runs of five steps; 9 minutes), growth (chats of 10, 50 and 200 turns; 4 minutes), "
        "replay (of these chats, which it holds first; 6 minutes more), streams (tokens to their watchers; half a "
        "minute), idle (threads; 5 minutes); all without one",
    )
    parser.add_argument(
        "--rounds",
        type=_at_least_one,
        help=f"how often each is measured (throughput {ROUNDS['throughput']}, replay {ROUNDS['replay']})",
    )
    parser.add_argument("--threads", type=_at_least_one, help=f"how many are idle ({idle.THREADS:,})")
    parser.add_argument("--quick", action="store_true", help="few rounds, short chats; shown and not written")
    return parser.parse_args()


def _part(text: str) -> str:
    if text not in PARTS:
        raise argparse.ArgumentTypeError(f"unknown part {text!r}; known: {', '.join(PARTS)}")
    return text


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return number


def _progress(part: str) -> Callable[[str], None]:
    began = time.monotonic()

    def say(line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        _say(f"{minutes:>2}:{seconds:02}  {part:<10}  {line}")

    return say


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
