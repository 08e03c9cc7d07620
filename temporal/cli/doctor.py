"""`perdure doctor`: what is there, what is missing, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from temporal.checks import (
    Check,
    check_agents,
    check_embedder,
    check_model,
    check_names,
    check_python,
    check_storage,
    check_temporal,
    check_weaviate,
    versions,
)
from temporal.settings import InvalidSettings, describe, read_environment, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from temporal.settings import Settings

MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "failed": "[red]✗[/]"}


async def examine() -> bool:
    """Prints all checks and settings. False where something needed is missing."""
    console = Console(highlight=False)
    checks = [check_python(), Check("Versions", "ok", version_line()), check_names(), check_agents()]
    try:
        settings = read_settings()
    except InvalidSettings as error:
        checks.append(Check("Settings", "failed", str(error), "Correct the environment, or `.env`."))
    else:
        checks += await _check_surroundings(settings)
        console.print(_settings(settings))
    console.print(_table(checks))
    return not any(check.state == "failed" for check in checks)


def version_line() -> str:
    return ", ".join(f"{name} {number}" for name, number in versions().items())


async def _check_surroundings(settings: Settings) -> list[Check]:
    environ = read_environment()
    return [
        check_model(settings, environ),
        check_embedder(settings, environ),
        *await check_temporal(settings, environ),
        await check_storage(settings, environ),
        *await check_weaviate(settings),
    ]


def _settings(settings: Settings) -> Table:
    table = Table("Setting", "Value", "From", title="Settings", title_justify="left", box=None, pad_edge=False)
    for row in describe(settings):
        table.add_row(row.variable, row.value, row.origin, style="dim" if row.origin == "default" else "")
    return table


def _table(checks: Sequence[Check]) -> Table:
    table = Table("", "Check", "Found", title="\nChecks", title_justify="left", box=None, pad_edge=False)
    for check in checks:
        found = f"{check.said}\n→ {check.remedy}" if check.remedy else check.said
        table.add_row(MARKS[check.state], check.name, found)
    return table
