"""A run that has seen events which no workflow task has yet answers a query by them, and goes no further."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import WorkflowActivation

from temporal.timely import RanAhead, TimelyRunner


class Instance:
    def activate(self, activation: WorkflowActivation) -> int:
        return activation.history_length


class Runner:
    def create_instance(self, _details: Any) -> Instance:
        return Instance()


def run_of(dropped: list[str]) -> Any:
    inner: Any = Runner()
    runner: Any = TimelyRunner(inner)
    runner.drop = dropped.append
    return runner.create_instance(None)


def activation(length: int, seconds: int, job: str = "fire_timer") -> WorkflowActivation:
    made = WorkflowActivation(run_id="run-1", history_length=length)
    getattr(made.jobs.add(), job).SetInParent()
    made.timestamp.seconds = seconds
    return made


def query(length: int, seconds: int) -> WorkflowActivation:
    return activation(length, seconds, "query_workflow")


def test_tasks_what_comes_within_one_and_queries_are_handed_on() -> None:
    dropped: list[str] = []
    run = run_of(dropped)

    seen = [
        run.activate(activation(*each)) for each in ((3, 10), (3, 10), (9, 12), (9, 12), (0, 0, "remove_from_cache"))
    ]
    seen += [run.activate(query(11, 12)), run.activate(activation(15, 20))]

    assert seen == [3, 3, 9, 9, 0, 11, 15]
    assert dropped == []


def test_a_run_that_answers_by_events_without_a_task_is_dropped() -> None:
    dropped: list[str] = []
    run = run_of(dropped)

    seen = [run.activate(each) for each in (activation(3, 10), activation(7, 10), query(7, 10))]

    assert seen == [3, 7, 7]
    assert dropped == ["run-1"]


def test_a_run_that_was_not_dropped_in_time_does_not_go_on() -> None:
    run = run_of([])
    run.activate(activation(3, 10))
    run.activate(activation(7, 10))

    with pytest.raises(RanAhead, match="tried again"):
        run.activate(activation(9, 12))
    assert run.activate(activation(9, 12, "remove_from_cache")) == 9
