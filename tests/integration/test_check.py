"""What is wrong with an agent is found before it is deployed, by the node's name and the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.errors import InvalidInput
from temporal.checking.check import check
from temporal.checking.report import Finding, Report
from temporal.dev.stack import Stack

pytestmark = pytest.mark.timeout(600)

FLAWED = Path(__file__).with_name("flawed.py")
LINES = {
    line.rpartition("here: ")[2]: f"{FLAWED}:{number}"
    for number, line in enumerate(FLAWED.read_text().splitlines(), start=1)
    if "here: " in line
}


@pytest.fixture
def checked(stack: Stack):
    async def run(name: str, *, patience: float = 200.0, **options: Any) -> Report:
        address = stack.addresses.temporal_address
        return await check(f"tests.integration.flawed:{name}", address=address, patience=patience, **options)

    return run


def places(report: Report, kind: str) -> list[tuple[str | None, str | None]]:
    return [(finding.node, finding.line) for finding in report.findings if finding.kind == kind]


def only(report: Report) -> Finding:
    [finding] = report.findings
    return finding


async def test_what_a_node_draws_or_gives_anew_is_named_with_its_line(checked) -> None:
    report = await checked("unsteady")

    assert report.outcome == "completed"
    assert set(places(report, "drawn")) == {
        (node, LINES[node]) for node in ("roll", "pick", "identify", "date", "look")
    }
    assert set(places(report, "differs")) == {(node, LINES[node]) for node in ("order", "count", "start", "ask")}
    assert places(report, "blocking") == [("swallow", LINES["swallow"])]
    assert set(places(report, "environment")) == {(node, LINES[node]) for node in ("steady", "configure", "default")}
    said = {finding.node: finding.said for finding in report.findings}
    assert "uuid.uuid4()" in said["identify"]
    assert "edge 'lambda' gave something else" in said["start"]
    assert "asked call_model for something else" in said["ask"]
    assert all(finding.remedy for finding in report.findings)
    assert not report.is_clean


async def test_what_a_reducer_draws_is_named_with_its_line(checked) -> None:
    report = await checked("stamping")

    assert places(report, "drawn") == [(None, LINES["stamp"])]


async def test_blocking_io_is_named_and_what_comes_after_is_not_reached(checked) -> None:
    report = await checked("blocking")

    finding = only(report)
    assert (finding.kind, finding.node, finding.line) == ("blocking", "read", LINES["read"])
    assert "open('/etc/hostname')" in finding.said
    assert "execute_in" in finding.remedy
    assert (report.reached, report.not_reached) == (["read"], ["after"])


async def test_a_node_that_waits_for_ever_is_named_with_the_line_where_it_waits(checked) -> None:
    report = await checked("waiting")

    assert (report.outcome, report.reached) == ("unfinished", ["wait"])
    assert places(report, "slow") == [("wait", LINES["wait"])]


async def test_a_node_that_computes_for_ever_is_named(checked) -> None:
    report = await checked("spinning")

    finding = only(report)
    assert (finding.kind, finding.node) == ("slow", "spin")
    assert str(FLAWED) in (finding.line or "")


async def test_a_run_that_takes_too_long_is_left_and_told_where_it_was(checked) -> None:
    report = await checked("sleeping", patience=10)

    assert (report.outcome, places(report, "unfinished")) == ("unfinished", [("sleep", None)])


async def test_a_state_that_a_long_run_can_t_take_along_is_named_by_who_made_it(checked) -> None:
    report = await checked("keeping")

    assert ("keep", LINES["keep"]) in places(report, "value")


async def test_a_build_that_gives_another_graph_and_a_node_that_fails_are_named(checked) -> None:
    first, second = (await checked("rebuilding")).findings

    assert (second.kind, second.line) == ("build", LINES["changing"])
    assert "another graph" in second.said
    assert (first.kind, first.node, first.line) == ("failed", "node-2", LINES["fail"])
    assert "KeyError: 'no such order'" in first.said


async def test_a_graph_that_can_t_be_built_is_said_so(checked) -> None:
    report = await checked("unbuilt")

    assert report.outcome == "not built"
    assert "no prompts.yaml" in only(report).said


async def test_a_clean_agent_is_explored_without_carrying_anything_out(checked) -> None:
    report = await checked("clean")

    assert report.findings == []
    assert report.is_clean
    assert report.tools_called == ["look_up", "buy"]
    assert set(report.made_up) == {"look_up", "buy", "clean.fetch"}
    assert report.not_reached == ["complain"]
    assert report.replays == 6


async def test_with_run_tools_the_bodies_are_carried_out(checked) -> None:
    report = await checked("clean", run_tools=True)

    assert report.made_up == []
    assert "carried out for example 3" in only(report).said


async def test_an_agent_that_is_not_there_is_the_callers_mistake(checked) -> None:
    with pytest.raises(InvalidInput, match="There is no agent"):
        await checked("nobody")


async def test_a_check_has_a_storage_for_large_payloads_as_workers_do(checked) -> None:
    report = await checked("large")

    assert (report.outcome, report.findings) == ("completed", [])
    assert report.replays == 6
