"""Runs that were recorded go the same way today: same commands, same inputs, same ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

from agents import Registry
from temporal.replay import replay_strictly, scheduled
from tests.replay.cases import RECORDED, THREAD
from workflows.graph import Graphs

HISTORIES = Path(__file__).parent / "histories"


ALL = {**RECORDED, THREAD.agent.name: THREAD}


@pytest.mark.parametrize("name", ALL)
async def test_a_recorded_run_replays_with_the_same_inputs(name: str) -> None:
    case = ALL[name]
    history = WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())
    graphs = Graphs.of(Registry.of([case.agent]), lambda model: model or "scripted")

    await replay_strictly(history, graphs)

    assert sorted(step for step, _ in scheduled(history)) == sorted(case.steps)


def test_every_history_belongs_to_a_case() -> None:
    assert {file.stem for file in HISTORIES.glob("*.json")} == set(ALL)
