"""How a chat's history grows: each contestant holds one chat, until it has had all its turns or can't go on.

A chat of 200 turns passes through what a chat of 10 is, so one chat tells of all lengths.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.chat import answer, question
from benchmarks.conversation import ChatEnded, begin, say
from benchmarks.process import ContestantFailed, start
from benchmarks.roster import BARE, DEEPAGENTS, LOCAL, OFFICIAL, PERDURE, in_one_execution
from benchmarks.server import open_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from temporalio.client import Client, WorkflowHistory

    from benchmarks.conversation import Conversation
    from benchmarks.process import ContestantProcess
    from benchmarks.roster import Contestant
    from benchmarks.server import Server

SIZES = (10, 50, 200)
PROGRESS = 25
"""Turns between two lines that tell of it."""

WHOLE = in_one_execution(
    PERDURE, "a thread that never continues as new, to show the history alone", name="perdure, one execution"
)
LOCAL_WHOLE = in_one_execution(LOCAL, f"{LOCAL.about}; a thread like that")
CHATTERS = (BARE, PERDURE, WHOLE, LOCAL_WHOLE, OFFICIAL, DEEPAGENTS)
CONTINUED = (PERDURE,)
"""Those who chat on a server as it is. All others never continue as new, and are spared the suggestion."""


@dataclass(frozen=True)
class Turn:
    """What a turn took, in seconds, and where the chat was after it: in which execution, which had so many events."""

    execution: str
    events: int
    seconds: float
    worker_cpu: float


@dataclass(frozen=True)
class Chat:
    """`histories` are those of its executions in their order. `ended` says why it had not all its turns."""

    contestant: Contestant
    turns: Sequence[Turn]
    histories: Sequence[WorkflowHistory]
    ended: str | None = None


@dataclass(frozen=True)
class Chats:
    held: Sequence[Chat]
    sizes: Sequence[int]
    server_version: str


async def hold_chats(
    sizes: Sequence[int], *, progress: Callable[[str], None], chatters: Sequence[Contestant] = CHATTERS
) -> Chats:
    held: dict[str, Chat] = {}
    version = ""
    for suggests in (True, False):
        there = [contestant for contestant in chatters if (contestant in CONTINUED) is suggests]
        if there:
            async with _opened(suggests=suggests) as (server, state):
                version = server.version
                for contestant in there:
                    held[contestant.name] = await _hold(contestant, server, state, max(sizes), progress)
    return Chats([held[contestant.name] for contestant in chatters], sizes, version)


@asynccontextmanager
async def _opened(*, suggests: bool) -> AsyncIterator[tuple[Server, Path]]:
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as state:
        async with open_server(Path(state), suggests=suggests) as server:
            yield server, Path(state)


async def _hold(
    contestant: Contestant, server: Server, state: Path, turns: int, progress: Callable[[str], None]
) -> Chat:
    async with start(contestant, server.address, state) as process:
        await process.ready()
        # The first turn of a process pays for what is loaded with it.
        await _turn(await begin(contestant, server.client), process, 1)
        talk = await begin(contestant, server.client)
        taken: list[Turn] = []
        ended = None
        while len(taken) < turns and not ended:
            try:
                taken.append(await _turn(talk, process, len(taken) + 1))
            except ChatEnded as error:
                ended = str(error)
            if ended or len(taken) % PROGRESS == 0:
                progress(f"{contestant.name:<22}  {len(taken):>3} turns{f', then {ended}' if ended else ''}")
        return Chat(contestant, taken, await _histories(server.client, talk), ended)


async def _turn(talk: Conversation, process: ContestantProcess, number: int) -> Turn:
    cpu, began = await process.cpu(), time.perf_counter()
    said = await say(talk, question(number))
    seconds, used = time.perf_counter() - began, await process.cpu() - cpu
    if said != answer(number):
        raise ContestantFailed(f"{process.contestant.name!r} said {said!r}, not {answer(number)!r}.")
    description = await talk.handle.describe()
    return Turn(description.run_id or "", description.history_length, seconds, used)


async def _histories(client: Client, talk: Conversation) -> list[WorkflowHistory]:
    found, run_id = [], talk.first
    while run_id:
        history = await client.get_workflow_handle(talk.handle.id, run_id=run_id).fetch_history()
        found.append(history)
        run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found
