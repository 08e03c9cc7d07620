"""When and on what a part was measured."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from typing import TYPE_CHECKING

from benchmarks.roster import DEEPAGENTS_PYTHON

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGES = ("perdure", "langgraph", "langchain", "temporalio", "temporalio-langgraph")
ELSEWHERE = "temporalio-deepagents"


@dataclass(frozen=True)
class Circumstances:
    """`load_average` is that of the minute before the first part: near zero on an idle machine."""

    command: str
    date: str
    cores: int
    load_average: float
    versions: Mapping[str, str]

    def told(self, rounds: str, server_version: str) -> str:
        versions = {**self.versions, "Temporal server": server_version, "Python": platform.python_version()}
        return (
            f"Made by `{self.command}` on {self.date}; do not edit. {rounds} on {self.cores} cores, load average "
            f"{self.load_average:.1f} before the first. {', '.join(map(' '.join, versions.items()))}."
        )


def circumstances() -> Circumstances:
    arguments = " ".join(sys.argv[1:])
    return Circumstances(
        command=f'make bench ARGS="{arguments}"' if arguments else "make bench",
        date=datetime.now(UTC).date().isoformat(),
        cores=os.cpu_count() or 1,
        load_average=os.getloadavg()[0],
        versions={name: version(name) for name in PACKAGES} | {ELSEWHERE: _version_elsewhere()},
    )


def _version_elsewhere() -> str:
    folders = [str(folder) for folder in DEEPAGENTS_PYTHON.parent.parent.glob("lib/python*/site-packages")]
    found = next(iter(distributions(name=ELSEWHERE, path=folders)), None)
    return found.version if found else "missing"
