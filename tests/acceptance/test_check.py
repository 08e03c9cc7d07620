"""`perdure check` as it is called, with a server of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.acceptance.test_cli import Ended

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
SCRIPT = {
    "model": [{"tool_calls": [{"name": "order_status", "args": {"order_id": "A-17"}}]}, "It is on its way."],
    "tools": {"order_status": "lost"},
}


@pytest.fixture
def perdure():
    """Calls it from the folder of the example, which is not installed."""

    async def call(*arguments: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "temporal.cli", *arguments),
            cwd=ROOT / "examples" / "orders",
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(500):
            out, err = await process.communicate()
        return Ended(process.returncode or 0, out.decode(), err.decode())

    return call


async def test_the_example_is_clean_by_a_script_of_its_own(perdure, tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text(json.dumps(SCRIPT))

    done = await perdure("check", "orders:agent", "--script", str(tmp_path / "script.json"), "--json")

    assert done.code == 0, done.err
    [report] = json.loads(done.out)
    assert (report["outcome"], report["findings"]) == ("completed", [])
    assert report["reached"] == ["model", "tools"]
    assert report["tools_called"] == report["made_up"] == ["order_status"]


async def test_without_a_name_the_installed_agents_are_checked_and_clean(perdure) -> None:
    done = await perdure("check", "--input", "What is a task queue?")

    assert done.code == 0, done.err
    assert done.out.startswith("research\n")
    assert "✓ Nothing found. 6 replays" in done.out


async def test_a_finding_names_node_line_and_remedy_and_the_code_is_1(perdure) -> None:
    done = await perdure("check", "tests.integration.flawed:blocking")

    assert done.code == 1, done.err
    assert "✗ node 'read'" in done.out
    assert "flawed.py:" in done.out
    assert "→ Move it to a tool" in done.out
    assert "Not reached  after" in done.out


async def test_an_unknown_agent_is_misuse(perdure) -> None:
    done = await perdure("check", "nobody")

    assert (done.code, done.out) == (2, "")
    assert "Unknown agent 'nobody'" in done.err
