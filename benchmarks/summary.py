"""What the samples of a pass amount to: medians with their spread, and ratios taken within a round."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.job import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.roster import Contestant


@dataclass(frozen=True)
class Sample:
    """What one contestant did in one round. The `case` is what it was put to: a load, or the turns of a chat."""

    round: int
    contestant: Contestant
    case: Any
    measured: Any


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
    """A `figure` is the name of a field of what was measured. What was not measured gives None."""

    samples: Sequence[Sample]

    def spread(self, contestant: Contestant, case: Any, figure: str) -> Spread | None:
        return Spread.of(self._by_round(contestant, case, figure).values())

    def ratio(self, one: Contestant, other: Contestant, case: Any, figure: str) -> Spread | None:
        """How many times the figure of `other` that of `one` is."""
        return Spread.of(mine / theirs for mine, theirs in self._pairs(one, other, case, figure) if theirs)

    def overhead(self, one: Contestant, other: Contestant, case: Any, figure: str) -> Spread | None:
        """What `one` adds to `other`, for each step of the job."""
        return Spread.of((mine - theirs) / STEPS for mine, theirs in self._pairs(one, other, case, figure))

    def _pairs(self, one: Contestant, other: Contestant, case: Any, figure: str) -> list[tuple[float, float]]:
        """Of the same round: what slows the machine down slows down both."""
        mine, theirs = self._by_round(one, case, figure), self._by_round(other, case, figure)
        return [(mine[number], theirs[number]) for number in mine if number in theirs]

    def _by_round(self, contestant: Contestant, case: Any, figure: str) -> dict[int, float]:
        measured = {
            sample.round: getattr(sample.measured, figure)
            for sample in self.samples
            if sample.contestant == contestant and sample.case == case
        }
        return {number: value for number, value in measured.items() if value is not None}
