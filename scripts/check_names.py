"""Refuses distributions that own a top-level name of ours: importing the one would hide the other."""

import sys
from importlib.metadata import distributions
from pathlib import Path

from temporal.packages import CLASHING


def main() -> int:
    """Look through the locks and this environment. The exit code is 1 if one is found."""
    places = {lock.name: _locked(lock) for lock in sorted(Path().glob("requirements*.lock"))}
    places["this environment"] = {_normal(found.metadata["Name"]) for found in distributions()}
    clashes = [
        f"{place}: {name!r} owns the top-level package {CLASHING[name]!r}, as Perdure does. Remove it."
        for place, names in places.items()
        for name in sorted(names & CLASHING.keys())
    ]
    sys.stdout.write("".join(f"{clash}\n" for clash in clashes) or "No distribution owns a name of ours.\n")
    return 1 if clashes else 0


def _locked(lock: Path) -> set[str]:
    return {_normal(line.partition("==")[0]) for line in lock.read_text().splitlines() if "==" in line}


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    sys.exit(main())
