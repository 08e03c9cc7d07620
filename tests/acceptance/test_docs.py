"""What README and docs say can be done, can be done as it says."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from tests.acceptance.conftest import Place

ROOT = Path(__file__).parents[2]
MIGRATION = ROOT / "docs" / "migrating-from-temporalio-langgraph.md"
"""Its blocks are files of their own, which tests/acceptance/test_migration.py runs."""

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def commands(program: str) -> list[str]:
    """The calls of `program` in all shell blocks, each on one line, without comments."""
    shell = "\n".join(block.replace("\\\n", " ") for page in PAGES for block in blocks(page, "sh"))
    return [line.partition("  #")[0].strip() for line in shell.splitlines() if line.startswith(f"{program} ")]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python") and page != MIGRATION], ids=lambda page: page.name
)
async def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, served: Place, tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("\n\n".join(blocks(page, "python")))
    orders = ROOT / "examples" / "orders"

    finished = await served.call(sys.executable, str(tmp_path / "page.py"), PYTHONPATH=str(orders))

    assert finished.code == 0, finished.errors


@pytest.mark.parametrize(
    "command", [line for line in commands("perdure") if {"run", "send", "agents"} & set(line.split()[1:2])]
)
async def test_a_perdure_command_of_the_docs_works(command: str, served: Place) -> None:
    finished = await served.call(*shlex.split(command))

    assert finished.code == 0, finished.errors
    assert finished.output


@pytest.mark.parametrize("command", [line for line in commands("perdure") if line.split()[1] == "chat"])
async def test_a_chat_of_the_docs_answers(command: str, served: Place) -> None:
    finished = await served.call(*shlex.split(command), given="What does a payload codec do?\n")

    assert finished.code == 0, finished.errors
    assert "codec" in finished.output


@pytest.mark.parametrize("command", [line for line in commands("temporal") if "AgentWorkflow" in line])
async def test_a_temporal_command_of_the_docs_starts_a_run_that_ends(command: str, served: Place) -> None:
    started = await served.call(*shlex.split(command), "--workflow-id", "from-the-docs")
    assert started.code == 0, started.errors

    finished = await served.call("perdure", "result", "from-the-docs")

    assert finished.code == 0, finished.errors
    assert "Citations" in finished.output


async def test_the_temporal_commands_of_the_docs_hold_a_thread(served: Place) -> None:
    start, send = (line for line in commands("temporal") if "customer-18" in line)

    started = await served.call(*shlex.split(start))
    answered = await served.call(*shlex.split(send))

    assert started.code == 0, started.errors
    assert answered.code == 0, answered.errors
    assert "status:done" in answered.output


def test_the_make_targets_of_the_docs_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    contributing = ROOT / "CONTRIBUTING.md"
    named = {
        match
        for page in [*PAGES, contributing]
        for match in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }

    assert {"demo", "test"} <= named
    assert named <= targets


def test_the_example_of_the_readme_is_the_example_that_ships() -> None:
    block = next(block for block in blocks(ROOT / "README.md", "python") if "order_status" in block)
    shipped = (ROOT / "examples" / "orders" / "orders.py").read_text()

    for line in filter(None, block.splitlines()[1:]):
        assert line.removesuffix(":").strip() in shipped


def test_the_example_offers_its_agent() -> None:
    project = tomllib.loads((ROOT / "examples" / "orders" / "pyproject.toml").read_text())

    assert project["project"]["entry-points"]["perdure.agents"] == {"orders": "orders:agent"}


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
