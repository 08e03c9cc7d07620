"""Tables and figures as RESULTS.md shows them: markdown, in columns that are readable in a terminal too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.roster import Contestant
    from benchmarks.summary import Spread

NOTHING = "–"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = [f"{'-' * width}:" for width in widths]
    rule[0] = "-" * (widths[0] + 1)
    lines = [_row(head, widths), f"|{'|'.join(f' {dashes}' for dashes in rule)}|", *(_row(row, widths) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = [f"{cell:{'<' if column == 0 else '>'}{widths[column]}}" for column, cell in enumerate(cells)]
    return f"| {' | '.join([first, *others])} |"


def spread(found: Spread | None) -> str:
    """The median, with the lowest and the highest."""
    if found is None:
        return NOTHING
    middle, low, high = (number(value) for value in (found.median, found.low, found.high))
    return middle if low == high else f"{middle} ({low}–{high})"


def number(value: float) -> str:
    """Three digits, and no more than two of them behind the point."""
    if float(value).is_integer():
        return f"{value:,.0f}"
    magnitude = abs(value)
    return f"{value:.2f}" if magnitude < 10 else f"{value:.1f}" if magnitude < 100 else f"{value:,.0f}"  # noqa: PLR2004


def times(found: Spread | None) -> str:
    return "?" if found is None else f"{found.median:.2f}×"


def value(found: Spread | None) -> str:
    return "?" if found is None else f"{found.median:.1f}"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def who(contestants: Iterable[Contestant]) -> str:
    return "\n".join(f"- **{contestant.name}**: {contestant.about}." for contestant in contestants)
