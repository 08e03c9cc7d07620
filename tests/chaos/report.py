"""What a pass shows while it goes on, and what it found."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import IO

LONGEST = 1_500
"""Characters of a violation."""

BAR = 24
MOST_REFUSALS = 20


class Report:
    """A line of progress at the bottom, where there is a terminal, and lines of what happens above it."""

    def __init__(self, runs: int, *, out: IO[str] = sys.stdout) -> None:
        self.violations: list[str] = []
        self.ends: Counter[str] = Counter()
        """Runs by their kind and how they ended."""
        self.refusals: Counter[str] = Counter()
        """What clients were told."""
        self._runs = runs
        self._out = out
        self._is_live = out.isatty()
        self._began = time.monotonic()

    def say(self, line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        self._write(f"{minutes:>2}:{seconds:02}  {line}\n")

    def violation(self, text: str) -> None:
        self.violations.append(text[:LONGEST])
        self.say(f"VIOLATION  {text[:LONGEST]}")

    def ended(self, kind: str, status: str) -> None:
        self.ends[f"{kind} {status}"] += 1
        if not self._is_live:
            self.say(f"{self.ends.total()} of {self._runs} runs have ended: {kind} {status}")
        self._write("")

    @property
    def summary(self) -> str:
        lines = [f"{count:>5}  {end}" for end, count in sorted(self.ends.items())]
        if self.refusals:
            lines += ["", "What clients were told:"]
            lines += [f"{count:>5}  {what}" for what, count in self.refusals.most_common(MOST_REFUSALS)]
        lines += ["", *(f"VIOLATION  {text}" for text in self.violations), f"{len(self.violations)} violations."]
        return "\n".join(lines)

    def _write(self, line: str) -> None:
        if not self._is_live:
            self._out.write(line)
        else:
            done = BAR * self.ends.total() // max(1, self._runs)
            bar = f"[{'#' * done:<{BAR}}] {self.ends.total()}/{self._runs} runs, {len(self.violations)} violations"
            self._out.write(f"\r\x1b[K{line}{bar}")
        self._out.flush()
