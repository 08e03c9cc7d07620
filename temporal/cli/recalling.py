"""What was said last in a thread, in short, for who comes back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflows.steps import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workflows.state import RunState
    from workflows.turns import Turns

MOST_LINES = 6
MOST_SHOWN = 200
"""Characters of each."""


def recalled(turns: Turns, state: RunState | None, agent: str) -> list[str]:
    """The last lines of the conversation; of an agent whose state has no messages, what its last turns came to."""
    values = state.values if state else None
    messages = values.get("messages") if isinstance(values, dict) else None
    said = [*_said(messages, agent)] if isinstance(messages, list) else []
    if not said:
        said = [f"{agent}: {_short(turn.output)}" for turn in turns.turns if turn.output is not None]
    earlier = len(said) - MOST_LINES
    return [*(["…"] if earlier > 0 else []), *said[-MOST_LINES:]]


def _said(messages: list[Any], agent: str) -> Iterator[str]:
    for message in messages:
        match message:
            case {"type": "human", "content": content} if text := _short(content):
                yield f"> {text}"
            case {"type": "ai", "content": content} if text := _short(content):
                yield f"{agent}: {text}"


def _short(content: Any) -> str:
    match content:
        case str():
            return shorten(content, MOST_SHOWN)
        case [*blocks]:
            texts = [block.get("text", "") for block in blocks if isinstance(block, dict)]
            return shorten(" ".join(texts), MOST_SHOWN)
        case _:
            return shorten(str(content), MOST_SHOWN)
