"""How long a worker takes to replay a chat that it has lost, or never had. The parent's side of `replaying.py`."""

from __future__ import annotations

import asyncio
import tempfile
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from temporalio.api.history.v1 import History

from benchmarks.growth import CHATTERS, CONTINUED
from benchmarks.process import ContestantFailed, environment, interpreter
from benchmarks.replaying import Replayed
from benchmarks.sizes import executions_after
from benchmarks.summary import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.growth import Chat, Chats
    from benchmarks.roster import Contestant

REPLAYED = [contestant for contestant in CHATTERS if contestant not in CONTINUED]
"""Those whose chats are in one execution."""

LONGEST = 600
"""Seconds for the replays of one process."""


@dataclass(frozen=True)
class Replays:
    samples: Sequence[Sample]
    sizes: Sequence[int]
    rounds: int
    server_version: str


async def replay_chats(chats: Chats, rounds: int, *, progress: Callable[[str], None]) -> Replays:
    """A fresh process replays the sizes of one contestant, from the smallest on, which it replays twice to be warm."""
    samples: list[Sample] = []
    sizes = sizes_to_replay(chats)
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as state:
        written = [_write(chat, sizes, Path(state)) for chat in chats.held if chat.contestant in REPLAYED]
        for number in range(1, rounds + 1):
            for chat, files in written if number % 2 else written[::-1]:
                for size, replayed in (await _replay(chat, files, Path(state))).items():
                    samples.append(Sample(number, chat.contestant, size, replayed))
                    progress(
                        f"round {number}/{rounds}  {chat.contestant.name:<22}  {size:>3} turns  "
                        f"{replayed.wall:5.2f} s, {replayed.cpu:5.2f} s CPU"
                    )
    return Replays(samples, sizes, rounds, chats.server_version)


def sizes_to_replay(chats: Chats) -> list[int]:
    """Those of the chats, and how far those got that could not go on."""
    return sorted({*chats.sizes, *(len(chat.turns) for chat in chats.held if chat.ended)})


def _write(chat: Chat, sizes: Sequence[int], folder: Path) -> tuple[Chat, dict[int, Path]]:
    files = {}
    for size in sizes:
        if size <= len(chat.turns):
            [history] = executions_after(chat, size)
            files[size] = folder / f"{history.workflow_id}-{size}.history"
            files[size].write_bytes(History(events=history.events).SerializeToString())
    return chat, files


async def _replay(chat: Chat, files: dict[int, Path], state: Path) -> dict[int, Replayed]:
    log = state / f"{chat.contestant.task_queue}.replay.log"
    paths = [files[min(files)], *files.values()]
    with log.open("wb") as errors:
        lines = await _said(chat.contestant, paths, errors, state)
    if len(lines) != len(paths):
        raise ContestantFailed(
            f"{chat.contestant.name!r} failed to replay its chat:\n{log.read_text(errors='replace')[-3_000:]}"
        )
    return dict(zip(files, map(Replayed.model_validate_json, lines[1:]), strict=True))


async def _said(contestant: Contestant, paths: Sequence[Path], errors: BinaryIO, state: Path) -> list[bytes]:
    process = await asyncio.create_subprocess_exec(
        interpreter(contestant),
        *("-m", "benchmarks.replaying", contestant.replays or "", *map(str, paths)),
        stdout=PIPE,
        stderr=errors,
        env=environment(state),
    )
    try:
        async with asyncio.timeout(LONGEST):
            return (await process.communicate())[0].splitlines()
    except TimeoutError:
        raise ContestantFailed(f"{contestant.name!r} did not replay its chat within {LONGEST} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
