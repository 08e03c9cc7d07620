"""What must be true of every run, whatever befell its workers. Each function tells what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import agents.errors
from activities.late import IN_TIME
from temporal.replay import replay_strictly
from tests.chaos.ledger import Entry
from tests.chaos.story import Story
from tests.chaos.tools import LOCAL, OPTIONS
from workflows.graph import Graphs

SLACK = IN_TIME.total_seconds() + 1.0
"""Seconds from the moment at which a step may begin for the last time to its own note, on a busy machine."""

NAMED = {name for name, value in vars(agents.errors).items() if isinstance(value, type)}
UNDONE = ("failed", "canceled")


def every_failure_has_a_name(story: Story) -> Iterator[str]:
    if story.failure:
        kind = story.failure.application_failure_info.type
        if kind not in NAMED or not story.failure.message:
            yield f"it failed with {kind!r}: {story.failure.message[:300]!r}"


def it_ends_as_somebody_asked(story: Story) -> Iterator[str]:
    asked = {
        "timed_out": False,
        "terminated": story.run.is_terminated,
        "canceled": story.run.is_cancelled,
    }
    if not asked.get(story.status, True):
        yield f"it was {story.status}, and nobody had asked for it"


def no_workflow_task_fails(story: Story) -> Iterator[str]:
    for message in story.broken_tasks:
        if message and "UnhandledCommand" not in message:
            yield f"a workflow task failed: {message[:500]}"


def no_step_is_left_open(story: Story) -> Iterator[str]:
    if story.status != "terminated" and (left := [step.name for step in story.steps if step.ended is None]):
        yield f"it ended with steps under way: {left}"


def nothing_is_scheduled_once_its_cancellation_is_seen(story: Story) -> Iterator[str]:
    for step in story.steps:
        if story.seen and step.began > story.seen and not step.name.endswith((".compensate", ".reconcile")):
            yield f"step {step.name} was scheduled although the run had seen its cancellation"


def nothing_begins_after_its_cancellation(story: Story) -> Iterator[str]:
    """A step that was scheduled later, in a task that was under way, may begin with it."""
    scheduled = {step.key or step.name: step.scheduled for step in story.steps}
    for entry in _begun(story):
        last = max(story.cancelled or entry.time, scheduled.get(entry.key or entry.who, 0))
        if story.cancelled and entry.time > last + SLACK:
            yield f"{entry.who} began {entry.time - story.cancelled:.2f} s after the cancellation: {entry}"


def nothing_begins_after_its_end(story: Story) -> Iterator[str]:
    for entry in _begun(story):
        if entry.time > story.ended + SLACK:
            yield f"{entry.who} began {entry.time - story.ended:.2f} s after the run had ended: {entry}"


def _begun(story: Story) -> Iterator[Entry]:
    """What changes something, and is no local step: those go with their workflow task."""
    for entry in story.entries:
        options = OPTIONS.get(entry.who)
        if entry.what == "began" and entry.who not in LOCAL and not (options and options.effect == "read"):
            yield entry


def what_was_done_is_undone(story: Story) -> Iterator[str]:
    """In a run that fails or is cancelled, or its failure names what is left. Turns of threads undo by themselves."""
    if story.run.kind == "thread":
        return
    undone = [step.key for step in story.steps if step.name.endswith(".compensate") and step.gave]
    if story.status == "completed" and undone:
        yield f"it ended well, and {undone} were undone"
    if story.status not in UNDONE:
        return
    left = story.failure.message if story.failure else ""
    done = {step.key for step in story.calls if step.gave and step.gave.get("kind", "value") == "value"}
    done |= {entry.key for entry in story.entries if entry.what == "ended"}
    names = {step.key: step.name for step in story.calls}
    for key in done:
        if key in names and OPTIONS[names[key]].compensate and key not in undone and key not in left:
            yield f"{names[key]} (key {key}) was done, and is neither undone nor named"
    yield from (f"{key} was undone {count} times" for key, count in Counter(undone).items() if count > 1)


def the_last_is_undone_first(story: Story) -> Iterator[str]:
    if story.run.kind == "thread":
        return
    began = {step.key: step.began for step in story.calls}
    ended = {step.key: step.ended for step in story.calls}
    undone = [step.key for step in story.steps if step.name.endswith(".compensate") and step.gave]
    for place, first in enumerate(undone):
        for second in undone[place + 1 :]:
            if (end := ended.get(first)) and end < began.get(second, 0):
                yield f"{first} was undone before {second}, which came after it"


PROMISES: list[Callable[[Story], Iterator[str]]] = [
    every_failure_has_a_name,
    it_ends_as_somebody_asked,
    no_workflow_task_fails,
    no_step_is_left_open,
    nothing_is_scheduled_once_its_cancellation_is_seen,
    nothing_begins_after_its_cancellation,
    nothing_begins_after_its_end,
    what_was_done_is_undone,
    the_last_is_undone_first,
]


async def replays(story: Story, graphs: Graphs) -> list[str]:
    """Strictly, in this process, each execution."""
    broken = []
    for history in story.histories:
        try:
            await replay_strictly(history, graphs)
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is told
            broken.append(f"execution {history.run_id} is not replayed as it went: {type(error).__name__}: {error}")
    return broken


def nothing_is_paid_twice(entries: Sequence[Entry]) -> Iterator[str]:
    """Not even where a look-up found nothing: then nothing had begun, and what comes too late does not begin."""
    begun = Counter((entry.who, entry.key) for entry in entries if entry.what == "began" and entry.who in OPTIONS)
    for (who, key), times in begun.items():
        if times > 1 and not OPTIONS[who].repeatable:
            yield f"{who} (key {key}) was begun {times} times: {[entry for entry in entries if entry.key == key]}"
