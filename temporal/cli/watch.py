"""`perdure watch`: shows what a run does while it does it, and leaves it alone."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

from activities.events import (
    CustomEvent,
    GapEvent,
    InterruptEvent,
    ResetEvent,
    ResultEvent,
    SnapshotEvent,
    StepEvent,
    TokenEvent,
    ValuesEvent,
)
from agents.errors import InvalidInput
from temporal.cli.display import open_display, show_answer
from temporal.cli.errors import say
from temporal.client import ServerUnreachable, open_agents
from temporal.steps import Step
from temporal.writing import Writing
from workflows.contracts import AGENT_WORKFLOW
from workflows.steps import shorten
from workflows.turns import THREAD_WORKFLOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from activities.events import Event
    from temporal.cli.display import Display
    from temporal.client import Run
    from temporal.settings import Settings
    from temporal.steps import StepState

MODES: dict[str, frozenset[str]] = {
    "values": frozenset({"values"}),
    "updates": frozenset({"update"}),
    "messages": frozenset({"token", "reset"}),
    "custom": frozenset({"custom"}),
    "tasks": frozenset({"task"}),
    "debug": frozenset({"debug"}),
    "steps": frozenset({"step", "reset", "usage"}),
}
"""LangGraph's stream modes, and one of ours, with the types of their events."""

ALWAYS = frozenset({"run", "interrupt", "result", "gap", "snapshot"})


async def watch_run(settings: Settings, run_id: str, *, after: str | None, modes: Sequence[str], as_json: bool) -> None:
    """Raises RunFailed, as `perdure result` does, where the run did not end well."""
    types = _types(modes)
    agents = await open_agents(settings)
    run = await agents.find(run_id)
    if run.kind not in (AGENT_WORKFLOW, THREAD_WORKFLOW):
        raise InvalidInput(f"{run.id!r} is of type {run.kind}, and no agent's run. Follow it with `perdure result`.")
    watched = Watched(run, after=after, types=types, values="values" in modes)
    if as_json:
        await watched.print_all()
        return
    with open_display() as display:
        await watched.show_on(display)
    if run.kind == AGENT_WORKFLOW:
        show_answer(await run.result(), run.url)


def _types(modes: Sequence[str]) -> frozenset[str] | None:
    """`None` for all."""
    if unknown := next((mode for mode in modes if mode not in MODES), None):
        raise InvalidInput(f"There is no mode {unknown!r}. Known: {', '.join(MODES)}.")
    return ALWAYS.union(*(MODES[mode] for mode in modes)) if modes else None


class Watched:
    """One run as it is shown. Leaving it says how to come back."""

    def __init__(self, run: Run, *, after: str | None, types: frozenset[str] | None, values: bool) -> None:
        self._run = run
        self._last = after
        self._types = types
        self._values = values

    async def print_all(self) -> None:
        with self._leaving():
            async with aclosing(self._run.events(self._last, values=self._values)) as events:
                async for event in events:
                    self._last = event.id
                    if self._is_wanted(event):
                        print(event.model_dump_json(exclude_none=True), flush=True)  # noqa: T201 -- what was asked for

    async def show_on(self, display: Display) -> None:
        shown = Shown(display, self._run)
        with self._leaving():
            async with aclosing(self._run.events(self._last, values=self._values)) as events:
                async for event in events:
                    self._last = event.id
                    if self._is_wanted(event):
                        shown.show(event)
        display.writing("")
        display.status("")

    def _is_wanted(self, event: Event) -> bool:
        return self._types is None or event.type in self._types

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        try:
            yield
        except (asyncio.CancelledError, ServerUnreachable):
            place = f" --after {self._last}" if self._last else ""
            say(f"Run {self._run.id!r} goes on. Come back with `perdure watch {self._run.id}{place}`.")
            raise


class Shown:
    """Events on a display: steps and what models write come and go, the rest stays as lines."""

    def __init__(self, display: Display, run: Run) -> None:
        self._display = display
        self._run = run
        self._writing = Writing()
        self._summaries: dict[str, str] = {}

    def show(self, event: Event) -> None:
        if self._writing.apply(event):
            self._display.writing(self._writing.text if isinstance(event, TokenEvent) else "")
        match event:
            case StepEvent() if event.attempt is None or event.attempt > 1:
                self._display.step(self._step(event))
            case InterruptEvent():
                self._display.note(asked(self._run, event.interrupt, event.value))
            case SnapshotEvent():
                self._display.note(f"The run was at work before: {_briefly(event.value)}")
                for question in event.interrupts:
                    self._display.note(asked(self._run, question.id, question.value))
            case CustomEvent() | ValuesEvent():
                self._display.note(f"{event.type}: {_briefly(event.value)}")
            case GapEvent():
                self._display.note(f"{event.missed or 'Some'} events were missed.")
            case ResultEvent(turn=str(turn)):
                self._display.writing("")
                self._display.note(f"Turn {turn!r} {event.status}: {_briefly(event.output or event.error)}")
            case ResetEvent() | ResultEvent():
                self._display.writing("")

    def _step(self, event: StepEvent) -> Step:
        """The event's own state, but for attempts: a step whose second one begins is tried again."""
        identifier = event.step or ""
        if event.state == "scheduled":
            self._summaries[identifier] = event.summary
        is_over = event.state not in ("scheduled", "started")
        summary = self._summaries.pop(identifier, "") if is_over else self._summaries.get(identifier, "")
        state: StepState = "retrying" if event.state == "started" else event.state
        return Step(identifier, event.activity, state, summary, event.attempt or 1, error=event.error)


def asked(run: Run, identifier: str, value: Any) -> str:
    """What a run asks, and how to answer it, as far as its event tells."""
    told = json.dumps(value, ensure_ascii=False)
    place = f"{run.id} {identifier[:8]}"
    if isinstance(value, dict) and value.get("kind") == "approval":
        return f"The run asks: {told}\nDecide: perdure approve {place}, or perdure reject {place}"
    return f"The run asks: {told}\nAnswer it: perdure answer {place} '<your answer, as JSON>'"


def _briefly(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), 300)
