"""A node that runs as an activity takes the activity options that Temporal's plugin for LangGraph takes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from temporalio.client import WorkflowHistory
from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType, VersioningIntent

from agents import Agent, StepOptions
from tests.integration.cases import Totals
from tests.integration.conftest import steps
from tests.integration.test_agent_workflow import GREETING
from tests.integration.test_step_options import summaries
from workflows.graph import Graphs

GIVEN: dict[str, Any] = {"numbers": [], "path": ["nails"]}


def shop(*, node_step: StepOptions | None = None, **metadata: Any) -> Agent:
    def build(_resources: Any) -> Any:
        graph = StateGraph(Totals)
        graph.add_node("order", lambda _state: {"path": ["ordered"]}, metadata={"execute_in": "activity", **metadata})
        return graph.add_edge(START, "order")

    return Agent("shop", build, node_step=node_step or StepOptions())


def scheduled(history: WorkflowHistory) -> Any:
    """How its only activity was scheduled."""
    [event] = [event for event in history.events if event.HasField("activity_task_scheduled_event_attributes")]
    return event.activity_task_scheduled_event_attributes


async def test_every_option_reaches_the_server(bench) -> None:
    options = {
        "start_to_close_timeout": timedelta(seconds=41),
        "schedule_to_close_timeout": timedelta(seconds=42),
        "schedule_to_start_timeout": timedelta(seconds=40),
        "heartbeat_timeout": timedelta(seconds=7),
        "retry_policy": RetryPolicy(maximum_attempts=4, backoff_coefficient=3, non_retryable_error_types=["KeyError"]),
        "priority": Priority(priority_key=2),
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        "versioning_intent": VersioningIntent.COMPATIBLE,
        "summary": "one order",
        "team": "the author's own",
    }

    result, history = await bench(shop(**options), GREETING).run(GIVEN)

    assert result["output"]["path"] == ["nails", "ordered"]
    event = scheduled(history)
    assert event.start_to_close_timeout.ToTimedelta() == options["start_to_close_timeout"]
    assert event.schedule_to_close_timeout.ToTimedelta() == options["schedule_to_close_timeout"]
    assert event.schedule_to_start_timeout.ToTimedelta() == options["schedule_to_start_timeout"]
    assert event.heartbeat_timeout.ToTimedelta() == options["heartbeat_timeout"]
    assert event.retry_policy.maximum_attempts == 4
    assert event.retry_policy.backoff_coefficient == 3
    assert list(event.retry_policy.non_retryable_error_types) == ["KeyError"]
    assert event.priority.priority_key == 2
    assert summaries(history) == ['"one order"']


async def test_a_task_queue_of_its_own_has_workers_of_its_own(bench) -> None:
    queue = "shop-elsewhere"
    made = bench(shop(task_queue=queue), GREETING)
    elsewhere = replace(made, settings=made.settings.model_copy(update={"task_queue": queue}))

    async with AsyncExitStack() as workers:
        for each in (made, elsewhere):
            await workers.enter_async_context(each.worker())
        handle = await made.start(GIVEN)
        await handle.result()
    history = await made.replayed(handle)

    assert steps(history) == ["shop.order"]
    assert scheduled(history).task_queue.name == queue


async def test_a_summary_may_be_made_from_what_the_node_is_given(bench) -> None:
    agent = shop(summary_fn=lambda args, _kwargs: f"for {args[0]['path'][0]}")

    _, history = await bench(agent, GREETING).run(GIVEN)

    assert summaries(history) == ['"for nails"']


async def test_what_a_node_leaves_out_is_the_agents(bench) -> None:
    default = StepOptions(timeout=timedelta(seconds=33), heartbeat=timedelta(seconds=6), attempts=2, priority=4)

    _, history = await bench(shop(node_step=default), GREETING).run(GIVEN)

    event = scheduled(history)
    assert event.start_to_close_timeout.ToTimedelta() == default.timeout
    assert event.heartbeat_timeout.ToTimedelta() == default.heartbeat
    assert (event.retry_policy.maximum_attempts, event.priority.priority_key) == (2, 4)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"execute_in": "thread"}, "'execute_in' is 'thread' where 'activity' or 'workflow' is expected"),
        ({"start_to_close_timeot": timedelta(1)}, "Did you mean 'start_to_close_timeout'?"),
        ({"start_to_close_timeout": 30}, "'start_to_close_timeout' is 30 where a timedelta is expected"),
        ({"heartbeat_timeout": timedelta(0)}, "it must be longer than nothing"),
        ({"activity_id": "one"}, "'activity_id' can't be set; each call of the node has an id of its own"),
        ({"summary": "a", "summary_fn": len}, "set 'summary' or 'summary_fn', not both"),
    ],
)
def test_an_option_that_is_off_is_refused_before_any_run(metadata, words) -> None:
    with pytest.raises((TypeError, ValueError), match="Agent 'shop'") as refused:
        Graphs.of([shop(**metadata)], str)

    assert words in str(refused.value)
