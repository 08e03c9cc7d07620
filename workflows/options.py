"""The activity options of a node, or of a task in `activity_options`. They are read when a worker starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType, VersioningIntent

from agents.errors import known
from agents.graph import EXECUTE_IN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.graph import Part

KINDS: dict[str, type | tuple[type, ...]] = {
    "start_to_close_timeout": timedelta,
    "schedule_to_close_timeout": timedelta,
    "schedule_to_start_timeout": timedelta,
    "heartbeat_timeout": timedelta,
    "retry_policy": RetryPolicy,
    "task_queue": str,
    "priority": Priority,
    "cancellation_type": ActivityCancellationType,
    "versioning_intent": VersioningIntent,
    "summary": (str, Callable),  # type: ignore[dict-item] # isinstance takes it
    "summary_fn": Callable,  # type: ignore[dict-item] # ditto
}
"""The keys that Temporal's own plugin for LangGraph takes, and what each must be."""

UNFIT = {
    "activity_id": "each call of the node has an id of its own",
    "result_type": "the types are known from the graph",
}

Summary = Callable[[tuple[Any, ...], dict[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class ActivityOptions:
    """`arguments` go to Temporal's `execute_activity`; `summary` is given the node's positional and named arguments."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    summary: str | Summary | None = None


def read_options(agent: str, part: Part, default_timeout: timedelta) -> ActivityOptions:
    """Raises `ValueError` or `TypeError`, naming agent, node and key."""
    where = f"Agent {agent!r}, {'task' if part.is_task else 'node'} {part.name!r}"
    options = {key: value for key, value in part.options.items() if key != EXECUTE_IN}
    for key, value in options.items():
        _check(where, key, value, strict=part.is_task)
    if {"summary", "summary_fn"} <= options.keys():
        raise ValueError(f"{where}: set 'summary' or 'summary_fn', not both.")
    if "retry_policy" in options and part.retry_policy:
        raise ValueError(
            f"{where}: it has a 'retry_policy' of Temporal's in its options and one of LangGraph's. Leave one out."
        )
    arguments = {key: value for key, value in options.items() if key in KINDS and not key.startswith("summary")}
    return ActivityOptions(
        arguments={**_retries(part), **_time(part, options, default_timeout), **arguments},
        summary=options.get("summary_fn") or options.get("summary"),
    )


def _check(where: str, key: str, value: Any, *, strict: bool) -> None:
    """A node's metadata are its author's own beside the options, unless a key is all but one of these."""
    if key in UNFIT:
        raise ValueError(f"{where}: {key!r} can't be set; {UNFIT[key]}.")
    if key not in KINDS:
        meant = get_close_matches(key, KINDS, n=1, cutoff=0.8)
        if strict or meant:
            hint = f"Did you mean {meant[0]!r}?" if meant else known([EXECUTE_IN, *KINDS])
            raise ValueError(f"{where}: unknown option {key!r}. {hint}")
    elif not isinstance(value, KINDS[key]):
        expected = "a timedelta" if KINDS[key] is timedelta else _names(KINDS[key])
        raise TypeError(f"{where}: {key!r} is {value!r} where {expected} is expected.")
    elif isinstance(value, timedelta) and value <= timedelta(0):
        raise ValueError(f"{where}: {key!r} is {value!r}; it must be longer than nothing.")


def _names(kinds: type | tuple[type, ...]) -> str:
    return " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))


def _retries(part: Part) -> dict[str, Any]:
    """LangGraph's policies as Temporal's. Their `retry_on` is asked by the activity, at each failure."""
    if not part.retry_policy:
        return {}
    policy = part.retry_policy[0]
    return {
        "retry_policy": RetryPolicy(
            maximum_attempts=max(each.max_attempts for each in part.retry_policy),
            initial_interval=timedelta(seconds=max(0.001, policy.initial_interval)),
            backoff_coefficient=max(1.0, policy.backoff_factor),
            maximum_interval=timedelta(seconds=max(0.001, policy.initial_interval, policy.max_interval)),
        )
    }


MARGIN = timedelta(seconds=10)
"""LangGraph's own time-out of a node, kept by the activity, comes first and has the better message."""


def _time(part: Part, options: Mapping[str, Any], default: timedelta) -> dict[str, Any]:
    if part.timeout and part.timeout.run_timeout:
        seconds = part.timeout.run_timeout
        limit = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        return {"start_to_close_timeout": limit + MARGIN}
    if "schedule_to_close_timeout" in options:
        return {"start_to_close_timeout": None}
    return {"start_to_close_timeout": default}
