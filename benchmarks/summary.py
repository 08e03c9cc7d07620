"""What the samples of a pass amount to: medians with their spread, and ratios taken within a round."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.job import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.load import Load
    from benchmarks.roster import Contestant
    from benchmarks.rounds import Sample


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        found = list(values)
        return cls(median(found), min(found), max(found)) if found else None


@dataclass(frozen=True)
class Summary:
    """A `figure` is the name of a field of `Measurement`. What was not measured gives None."""

    samples: Sequence[Sample]

    def spread(self, contestant: Contestant, load: Load, figure: str) -> Spread | None:
        return Spread.of(self._by_round(contestant, load, figure).values())

    def ratio(self, one: Contestant, other: Contestant, load: Load, figure: str) -> Spread | None:
        """How many times the figure of `other` that of `one` is."""
        return Spread.of(mine / theirs for mine, theirs in self._pairs(one, other, load, figure) if theirs)

    def overhead(self, one: Contestant, other: Contestant, load: Load, figure: str) -> Spread | None:
        """What `one` adds to `other`, for each step of the job."""
        return Spread.of((mine - theirs) / STEPS for mine, theirs in self._pairs(one, other, load, figure))

    def _pairs(self, one: Contestant, other: Contestant, load: Load, figure: str) -> list[tuple[float, float]]:
        """Of the same round: what slows the machine down slows down both."""
        mine, theirs = self._by_round(one, load, figure), self._by_round(other, load, figure)
        return [(mine[number], theirs[number]) for number in mine if number in theirs]

    def _by_round(self, contestant: Contestant, load: Load, figure: str) -> dict[int, float]:
        measured = {
            sample.round: getattr(sample.measured, figure)
            for sample in self.samples
            if sample.contestant == contestant and sample.load == load
        }
        return {number: value for number, value in measured.items() if value is not None}
