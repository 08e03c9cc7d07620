"""A graph gives the answer of plain LangGraph, whether or not the worker forgets it between any two steps."""

from __future__ import annotations

import pytest

from agents.exchange import output_of
from agents.testing import ScriptedModel, run_live
from tests.integration.cases import CASES, Case
from tests.integration.conftest import steps


def name_of(case: Case) -> str:
    return f"{case.agent.name} {case.given if isinstance(case.given, str) else ''}".strip()


@pytest.mark.parametrize("case", CASES, ids=name_of)
async def test_a_run_gives_the_answer_of_plain_langgraph(case: Case, cached_workflows: int, bench) -> None:
    model = ScriptedModel(script=case.script)
    expected = await run_live(case.agent, case.given, model=model)

    result, history = await bench(case.agent, model, cached=cached_workflows).run(case.given)

    assert result["output"] == output_of(expected)
    assert sorted(steps(history)) == sorted(case.steps)


@pytest.mark.parametrize("case", CASES[:3], ids=name_of)
async def test_a_run_in_temporals_sandbox_gives_the_same_answer(case: Case, bench) -> None:
    model = ScriptedModel(script=case.script)
    expected = await run_live(case.agent, case.given, model=model)

    result, history = await bench(case.agent, model, sandbox=True).run(case.given)

    assert result["output"] == output_of(expected)
    assert steps(history) == case.steps
