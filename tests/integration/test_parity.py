"""A graph answers in a workflow as it does in plain LangGraph, whatever becomes of its worker between two steps."""

from __future__ import annotations

import re

import pytest

from tests.integration.parity import CASES
from tests.integration.parity.case import Case
from tests.integration.parity.modes import Ran, run_in_workflows, run_plainly
from tests.integration.parity.watching import supersteps

pytestmark = [
    pytest.mark.timeout(900),  # the first test of a mode waits for the runs of all
    # LangGraph leaves it so where a worker forgets a run whose nodes wait for `max_concurrency`
    pytest.mark.filterwarnings("ignore:Exception ignored in. <coroutine object arun_with_retry"),
]

ELAPSED = re.compile(r" \(elapsed: [0-9.]+s\)")


@pytest.fixture(scope="module", params=["cache on", "cache off", "worker replaced"])
async def ran(request, client) -> dict[str, Ran]:
    """All cases that were asked for, at once."""
    return await run_in_workflows(client, _asked_for(request), request.param)


def _asked_for(request: pytest.FixtureRequest) -> list[Case]:
    asked = {item.callspec.params["case"].name for item in request.session.items if "ran" in item.fixturenames}
    return [case for case in CASES if case.name in asked]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_run_is_that_of_plain_langgraph(case: Case, ran) -> None:
    run, expected = ran[case.name], await run_plainly(case)

    assert supersteps(run.stream) == supersteps(expected.stream)
    assert ELAPSED.sub("", expected.failure) in ELAPSED.sub("", run.failure)
    assert bool(run.failure) == bool(case.fails)
    assert case.steps is None or sorted(run.steps) == sorted(case.steps)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_run_that_is_taken_up_again_has_the_same_ids_and_order(case: Case, ran) -> None:
    run = ran[case.name]

    assert run.differs is None
    assert run.replayed == run.stream
    assert all(earlier == run.stream[: len(earlier)] for earlier in run.streams)


async def test_runs_in_temporals_sandbox_are_those_of_plain_langgraph(client) -> None:
    cases = [case for case in CASES if case.name in ("branching", "parallel-calls", "hooks")]

    ran = await run_in_workflows(client, cases, "sandbox")

    for case in cases:
        assert supersteps(ran[case.name].stream) == supersteps((await run_plainly(case)).stream)
        assert ran[case.name].differs is None


async def test_the_suite_replaces_the_worker_between_two_steps(client) -> None:
    [case] = [case for case in CASES if case.name == "parallel-calls"]

    ran = await run_in_workflows(client, [case], "worker replaced")

    assert len(ran[case.name].streams) == len(["at first", "after the model", "after the tools", "after the model"])
