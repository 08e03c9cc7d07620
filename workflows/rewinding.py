"""How a thread goes back to what it was. Runs in workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.errors import InvalidInput
from workflows.contracts import explain
from workflows.fork import RepeatedEffect, effects_after
from workflows.input import read_input
from workflows.state import resolved
from workflows.turns import RewindInput

if TYPE_CHECKING:
    from temporalio.common import RawValue

    from workflows.book import TurnBook
    from workflows.run import Run

EXAMPLE = '{"turn": "the-id-of-a-turn"}'


class Rewound(BaseModel):
    """`checkpoint` is where the thread stands now, none at its very beginning. `turns` are those that were undone, and
    `effects` what tools did in them, which stays in the world.
    """

    model_config = ConfigDict(frozen=True)

    checkpoint: str | None = None
    turns: list[str] = []
    effects: list[RepeatedEffect] = []


def parse_rewind(raw: RawValue) -> RewindInput:
    try:
        return RewindInput.model_validate(read_input(raw))
    except ValidationError as error:
        raise InvalidInput(f"That can't be rewound to: {explain(error)}. Expected, for example: {EXAMPLE}") from None


def go_back(run: Run, book: TurnBook, wanted: RewindInput) -> Rewound:
    """Raises `CheckpointPruned`, or `InvalidInput` for what is in the middle of a turn."""
    checkpoint = resolved(run, wanted.checkpoint) if wanted.checkpoint else _before(book, wanted.turn or "")
    effects = effects_after(run, checkpoint or "")
    if checkpoint is None:
        run.saver.delete_thread(run.thread)
    else:
        _refuse_middle(run, resolved(run, checkpoint))
        run.saver.drop_after(run.thread, checkpoint)
    undone = [
        turn.id
        for turn in book.turns.values()
        if (turn.before or "") >= (checkpoint or "") and turn.status != "rolled_back"
    ]
    book.change(undone, status="rolled_back")
    return Rewound(checkpoint=checkpoint, turns=undone, effects=effects)


def _before(book: TurnBook, identifier: str) -> str | None:
    turn = book[identifier]
    if turn.into:
        raise InvalidInput(f"Turn {identifier!r} was taken up by turn {turn.into!r}: rewind to that.")
    return turn.before


def _refuse_middle(run: Run, checkpoint: str) -> None:
    if run.graph.get_state(run.config_at({"checkpoint_id": checkpoint})).next:
        raise InvalidInput(
            f"Checkpoint {checkpoint} is in the middle of a turn. Fork the thread there, or rewind to before the turn."
        )
