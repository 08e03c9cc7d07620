"""What the benchmark compares does the same job. It refuses a contestant that answers otherwise."""

from __future__ import annotations

from benchmarks.contestants.streams import TOKENS
from benchmarks.growth import WHOLE, hold_chats
from benchmarks.load import Load
from benchmarks.replay import replay_chats
from benchmarks.roster import BARE, BY_HAND, DEEPAGENTS, IN_MEMORY, LOCAL, OFFICIAL
from benchmarks.rounds import run_rounds
from benchmarks.streams import EMBEDDED, hear_streams

ONE = Load(at_once=1, runs=1)


def ignore(_line: str) -> None:
    pass


def there(*contestants):
    """Those that `make test` has an environment for."""
    return [contestant for contestant in contestants if contestant.python.exists()]


async def test_all_contestants_do_the_job() -> None:
    roster = there(IN_MEMORY, BY_HAND, LOCAL, OFFICIAL, DEEPAGENTS)

    made = await run_rounds(1, progress=ignore, roster=roster, loads=[ONE], warm_up=ONE)

    assert [sample.contestant for sample in made.samples] == roster
    assert [sample.measured.events for sample in made.samples][:4] == [None, 35, 25, 35]


async def test_all_chats_are_held_and_replayed() -> None:
    chatters = there(BARE, WHOLE, OFFICIAL, DEEPAGENTS)

    chats = await hold_chats([1, 2], progress=ignore, chatters=chatters)
    replays = await replay_chats(chats, 1, progress=ignore)

    assert [len(chat.turns) for chat in chats.held] == [2] * len(chatters)
    assert {(sample.contestant.name, sample.case) for sample in replays.samples} == {
        (contestant.name, size) for contestant in chatters for size in (1, 2)
    }


async def test_all_streams_are_heard() -> None:
    streams = await hear_streams(1, progress=ignore)

    assert {len(heard.every) for heard in streams.heard} == {TOKENS}
    assert EMBEDDED in [heard.contestant for heard in streams.heard]
