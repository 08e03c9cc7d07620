"""What a worker refuses before it serves."""

from __future__ import annotations

import pytest
from langchain_core.tools import tool

from agents import Agent, Registry, StepOptions, durable
from temporal.settings import InvalidSettings, Settings, WorkerSettings
from temporal.worker import refuse_forgetting


@tool
def look() -> str:
    """Look."""
    return "seen"


def served(step: StepOptions) -> Registry:
    return Registry.of([Agent("worker", lambda _: None, tools=[durable(effect="read", step=step)(look)])])


def test_a_worker_that_keeps_no_runs_has_no_local_steps() -> None:
    settings = Settings(worker=WorkerSettings(cached_workflows=0))

    with pytest.raises(InvalidSettings, match=r"'worker' has local steps, as 'look', and PERDURE_WORKER__CACHED"):
        refuse_forgetting(settings, served(StepOptions(local=True)))


def test_other_steps_need_no_runs_that_are_kept() -> None:
    refuse_forgetting(Settings(worker=WorkerSettings(cached_workflows=0)), served(StepOptions()))
    refuse_forgetting(Settings(worker=WorkerSettings(cached_workflows=1)), served(StepOptions(local=True)))
