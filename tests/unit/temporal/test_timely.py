"""Events that no workflow task has yet are not handed to a run."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import WorkflowActivation

from temporal.timely import RanAhead, TimelyRunner


class Instance:
    def activate(self, activation: Any) -> int:
        return activation.history_length


class Runner:
    def create_instance(self, _details: Any) -> Instance:
        return Instance()


def activation(length: int, seconds: int) -> WorkflowActivation:
    made = WorkflowActivation(history_length=length)
    made.timestamp.seconds = seconds
    return made


def test_tasks_and_what_comes_within_one_are_handed_on() -> None:
    inner: Any = Runner()
    run = TimelyRunner(inner).create_instance(None)  # type: ignore[arg-type]

    seen = [run.activate(activation(*each)) for each in ((3, 10), (3, 10), (9, 12), (9, 12), (0, 0), (15, 20))]

    assert seen == [3, 3, 9, 9, 0, 15]


def test_events_without_a_task_of_their_own_are_refused() -> None:
    inner: Any = Runner()
    run = TimelyRunner(inner).create_instance(None)  # type: ignore[arg-type]
    run.activate(activation(3, 10))

    with pytest.raises(RanAhead, match="Ask again"):
        run.activate(activation(7, 10))
