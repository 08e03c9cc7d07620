"""Other distributions that own a top-level name of ours, so that one of the two hides the other."""

from __future__ import annotations

from importlib.metadata import packages_distributions

from agents.errors import FatalError

CLASHING = {"openai-agents": "agents", "llama-index-workflows": "workflows", "temporal-python-sdk": "temporal"}
"""Distribution, and the top-level package that it owns as Perdure does."""


class ClashingPackages(FatalError):
    pass


def clashing() -> list[str]:
    """Those that are installed here."""
    owners = packages_distributions()
    return sorted(name for name, package in CLASHING.items() if name in owners.get(package, ()))


def refuse_clashing() -> None:
    if found := clashing():
        owned = ", ".join(f"{CLASHING[name]!r}, as {name} does" for name in found)
        raise ClashingPackages(
            f"Perdure owns the top-level package {owned}. Uninstall {' and '.join(found)}, or give Perdure an "
            "environment of its own."
        )
