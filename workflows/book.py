"""The turns of a thread: those that wait, the one that runs, and those that are over. Runs in workflows."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from agents.errors import InvalidInput, ThreadBusy
from workflows.turns import QueuedTurn, ThreadState, Turn, Turns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workflows.turns import Policy, RunningTurn, ThreadInput

MOST_QUEUED = 100
MOST_KEPT = 50
MOST_BYTES = 1024 * 1024
"""Of the kept turns together. The newest is kept whatever its size."""

MOST_GONE = 200
"""Ids of turns that are no longer kept, so that one that is sent again is not taken for a new one."""


class TurnBook:
    def __init__(self, state: ThreadState | None = None) -> None:
        self.number = state.number if state else 0
        self.turns = {turn.id: turn for turn in state.turns} if state else {}
        self.gone = deque(state.gone if state else (), maxlen=MOST_GONE)
        self.queue = deque(state.queue if state else ())
        self._sizes = {turn.id: _size(turn) for turn in self.turns.values()}

    def __getitem__(self, identifier: str) -> Turn:
        """Raises `InvalidInput` where the turn is not, or no longer, kept."""
        if identifier in self.turns:
            return self.turns[identifier]
        if identifier in self.gone:
            raise InvalidInput(f"Turn {identifier!r} was taken; what it came to is no longer kept.")
        raise InvalidInput(f"There is no turn {identifier!r}. The newest is {next(reversed(self.turns), None)!r}.")

    def knows(self, identifier: str) -> bool:
        return identifier in self.turns or identifier in self.gone

    def refuse_full(self) -> None:
        if len(self.queue) >= MOST_QUEUED:
            raise ThreadBusy(f"{MOST_QUEUED} turns are waiting, which is as many as may. Send this one later.")

    def add(self, identifier: str, given: Any, policy: Policy) -> None:
        """At the end, but what steers or stops the running turn is next, in the order in which it came."""
        queued = QueuedTurn(id=identifier, input=given, policy=policy)
        if policy in {"enqueue", "reject"}:
            self.queue.append(queued)
        else:
            ahead = sum(other.policy not in {"enqueue", "reject"} for other in self.queue)
            self.queue.insert(ahead, queued)
        self.number += 1
        self.turns[identifier] = Turn(id=identifier, number=self.number)

    def change(self, identifiers: Iterable[str], **changes: Any) -> None:
        for identifier in identifiers:
            turn = self.turns[identifier] = self.turns[identifier].model_copy(update=changes)
            if turn.is_over:
                self._sizes[identifier] = _size(turn)

    def forget(self) -> None:
        """Drops the oldest that are too many, or too large together, of those that are over."""
        over = [identifier for identifier, turn in self.turns.items() if turn.is_over]
        size = sum(self._sizes[identifier] for identifier in over)
        for position, identifier in enumerate(over[:-1]):
            if len(over) - position <= MOST_KEPT and size <= MOST_BYTES:
                break
            size -= self._sizes.pop(identifier)
            del self.turns[identifier]
            self.gone.append(identifier)

    def state(self, thread: ThreadInput, *, running: RunningTurn | None, closing: bool) -> ThreadState:
        return ThreadState(
            thread=thread,
            number=self.number,
            turns=[*self.turns.values()],
            gone=[*self.gone],
            queue=[*self.queue],
            running=running,
            closing=closing,
        )

    def told(self, turns: Iterable[Turn]) -> Turns:
        kept = [*turns]
        return Turns(turns=kept, no_longer_kept=self.number - len(kept))


def _size(turn: Turn) -> int:
    return len(to_json(turn))
