"""What is told of the chats: how their histories grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.chat import ACTIVITIES, OUTPUT_CHARACTERS
from benchmarks.growth import WHOLE
from benchmarks.reports.table import NOTHING, number, plural, table, who
from benchmarks.roster import PERDURE
from benchmarks.sizes import WINDOW, bytes_per_turn, executions_after, size_after, size_of, steadiness, turn_figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.circumstances import Circumstances
    from benchmarks.growth import Chat, Chats

SETTLED = 20
"""Turns after which those of a linear history are all of one size."""


def report(chats: Chats, circumstances: Circumstances) -> str:
    held = {chat.contestant.name: chat for chat in chats.held}
    return "\n\n".join(
        [
            circumstances.told("One chat each", chats.server_version),
            *_alone(held[WHOLE.name]),
            *_continued(held[PERDURE.name]),
            *(_ended(chat, held[WHOLE.name]) for chat in chats.held if chat.ended),
            _table(chats),
            _method(chats),
        ]
    )


def _alone(chat: Chat) -> Iterator[str]:
    turns = len(chat.turns)
    size = size_after(chat, turns)
    settled = steadiness(chat, start=SETTLED)
    yield f"A chat of {turns} turns takes perdure {size.events:,} events and {size.bytes:,} bytes in one execution" + (
        f"; from turn {SETTLED} on a turn takes {settled.low:,.0f} to {settled.high:,.0f} bytes." if settled else "."
    )


def _continued(chat: Chat) -> Iterator[str]:
    histories = executions_after(chat, len(chat.turns))
    if len(histories) == 1:
        yield "As it ships it does so, too: it had no reason to continue as new."
        return
    first = sum(turn.execution == chat.turns[0].execution for turn in chat.turns)
    yield (
        f"As it ships it continues as new, for the first time after {first} turns. Its largest execution has "
        f"{max(len(history.events) for history in histories):,} events, and one {max(map(size_of, histories)):,} bytes."
    )


def _ended(chat: Chat, ours: Chat) -> str:
    turns = min(len(chat.turns), len(ours.turns))
    ratio = size_after(chat, turns).bytes / size_after(ours, turns).bytes if turns else 0
    return (
        f"{chat.contestant.name} gets no further than {plural(len(chat.turns), 'turn')} "
        f"({(chat.ended or '').rstrip('.')}). It has written {sum(map(size_of, chat.histories)):,} bytes by then, "
        f"{ratio:.0f} times what perdure writes in as many turns."
    )


def _table(chats: Chats) -> str:
    head = ["", "turns", "executions", "events", "bytes", "bytes/turn", "latency/turn, ms", "worker CPU/turn, ms"]
    return table(head, [row for chat in chats.held for row in _rows(chat, chats)])


def _rows(chat: Chat, chats: Chats) -> Iterator[list[str]]:
    reached = [size for size in chats.sizes if size <= len(chat.turns)]
    if chat.ended and chat.turns:
        reached = sorted({*reached, len(chat.turns)})
    for turns in reached:
        size = size_after(chat, turns)
        yield [
            chat.contestant.name,
            str(turns),
            str(size.executions),
            f"{size.events:,}",
            f"{size.bytes:,}",
            f"{bytes_per_turn(chat, turns):,.0f}",
            number(turn_figure(chat.turns[:turns], "seconds")),
            number(turn_figure(chat.turns[:turns], "worker_cpu")),
        ]
    if chat.ended:
        yield [chat.contestant.name, str(max(chats.sizes)), *[NOTHING] * 6]


def _method(chats: Chats) -> str:
    chatters = [chat.contestant for chat in chats.held]
    return (
        "## How the chats are measured\n\n"
        f"A turn is a question, a model call, a tool call with {OUTPUT_CHARACTERS} characters of output and a model "
        f"call: {ACTIVITIES} activities, where the tool is not local. All take questions by an "
        "update that gives the answer; Perdure's is that of a thread. Sizes are those of "
        f"all executions together. Bytes, latency and worker CPU of a turn are taken over the last {WINDOW} turns, the "
        "latter two as medians; there is one chat of each, so they vary as the machine does.\n\n"
        f"{who(chatters)}"
    )
