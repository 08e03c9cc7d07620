"""`perdure check`: what a check found, as people or programs read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from rich.console import Console

from agents.errors import InvalidInput
from agents.registry import Registry
from temporal.checking.check import check, check_server
from temporal.checking.record import Script
from workflows.contracts import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from temporal.checking.report import Finding, Report


def read_script(file: Path) -> Script:
    """A list is the model's answers; an object may have `model`, `tools` and `answers`."""
    try:
        read = json.loads(file.read_text())
        return Script.model_validate({"model": read} if isinstance(read, list) else read)
    except (OSError, ValueError) as error:
        why = explain(error) if isinstance(error, ValidationError) else str(error)
        raise InvalidInput(f"The script {str(file)!r} can't be used: {why}.") from None


async def check_agents(
    names: Sequence[str], given: Any, script: Script | None, *, run_tools: bool, patience: float, as_json: bool
) -> bool:
    """Prints the report of each agent. False where something was found."""
    if not names:
        names = [agent.name for agent in Registry.installed()]
    console = Console(highlight=False)
    reports: list[Report] = []
    async with check_server() as address:
        for name in names:
            report = await check(
                name, given=given, script=script, run_tools=run_tools, patience=patience, address=address
            )
            reports.append(report)
            if not as_json:
                _show(console, report)
    if as_json:
        print(json.dumps([report.model_dump(mode="json") for report in reports], indent=2))  # noqa: T201 -- asked for
    return all(report.is_clean for report in reports)


def _show(console: Console, report: Report) -> None:
    console.print(report.agent, style="bold")
    for label, value in _facts(report):
        console.print(f"  {label:<12} {value}", markup=False, soft_wrap=True)
    for finding in report.findings:
        _show_finding(console, finding)
    if not report.findings and report.outcome == "completed":
        console.print(f"  [green]✓[/] Nothing found. {report.replays} replays in other processes went the same way.")


def _facts(report: Report) -> list[tuple[str, str]]:
    facts = {
        "Run": report.outcome,
        "Reached": ", ".join(report.reached),
        "Not reached": ", ".join(report.not_reached),
        "Tools called": ", ".join(report.tools_called),
        "Not called": ", ".join(report.tools_not_called),
        "Made up": ", ".join(report.made_up),
        "Models": ", ".join(report.models),
    }
    return [(label, value) for label, value in facts.items() if value]


def _show_finding(console: Console, finding: Finding) -> None:
    mark = "[yellow]![/]" if finding.is_note else "[red]✗[/]"
    place = "  ".join(filter(None, [finding.node and f"node {finding.node!r}", _nearer(finding.line)]))
    console.print(f"  {mark} [bold]{place or 'The graph'}[/]", soft_wrap=True)
    console.print(f"    {finding.said}", markup=False, soft_wrap=True)
    if finding.remedy:
        console.print(f"    → {finding.remedy}", markup=False, soft_wrap=True)


def _nearer(line: str | None) -> str | None:
    """Seen from here, where it is below."""
    here = f"{Path.cwd()}/"
    return line.removeprefix(here) if line else None
