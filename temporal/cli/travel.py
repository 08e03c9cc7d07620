"""`perdure state`, `history`, `fork` and `rewind`: what a run was, did and cost, and how to go on from there."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.text import Text

from agents.errors import EffectsWouldRepeat, InvalidInput
from temporal.cli.display import cost, duration
from temporal.cli.errors import say
from temporal.cli.run import show_to_end
from temporal.client import open_agents
from temporal.travel import described
from workflows.contracts import Usage
from workflows.turns import THREAD_WORKFLOW

if TYPE_CHECKING:
    from temporal.client import Run
    from temporal.settings import Settings
    from workflows.journal import StepTaken, Superstep
    from workflows.state import Origin, RunState, StateHistory


async def show_state(settings: Settings, run_id: str, checkpoint: str | None, *, as_json: bool) -> None:
    run = await (await open_agents(settings)).find(run_id)
    state = await run.state(checkpoint)
    if as_json:
        print(state.model_dump_json(indent=2))  # noqa: T201 -- what was asked for
        return
    _print(*_heading(state), Text(json.dumps(state.values, indent=2, ensure_ascii=False)))


async def show_history(settings: Settings, run_id: str, *, as_json: bool) -> None:
    run = await (await open_agents(settings)).find(run_id)
    history = await run.history()
    if as_json:
        print(history.model_dump_json(indent=2))  # noqa: T201
        return
    _print(*_told(history))


async def fork_run(
    settings: Settings,
    run_id: str,
    checkpoint: str | None,
    change: dict[str, Any],
    *,
    repeat_effects: bool,
    as_json: bool,
    detach: bool,
) -> None:
    agents = await open_agents(settings)
    try:
        fork = await agents.fork(run_id, checkpoint=checkpoint, repeat_effects=repeat_effects, **change)
    except EffectsWouldRepeat as refused:
        _ask_to_repeat(refused)
        fork = await agents.fork(run_id, checkpoint=checkpoint, repeat_effects=True, **change)
    await _follow(fork, as_json=as_json, detach=detach)


def read_json(text: str | None, option: str) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{option} is no JSON: {error}.") from None


async def _follow(fork: Run, *, as_json: bool, detach: bool) -> None:
    """A thread has no end to wait for."""
    is_thread = fork.kind == THREAD_WORKFLOW
    if not detach and not is_thread:
        await show_to_end(fork, as_json=as_json)
        return
    print(json.dumps({"run": fork.id, "url": fork.url}) if as_json else fork.id)  # noqa: T201 -- what was asked for
    say(f"Go on with it by its id: {fork.id}" if is_thread else f"Follow it with `perdure result {fork.id}`.")


async def rewind_thread(
    settings: Settings, run_id: str, turn: str | None, checkpoint: str | None, *, as_json: bool
) -> None:
    run = await (await open_agents(settings)).find(run_id)
    rewound = await run.rewind(turn=turn, checkpoint=checkpoint)
    if as_json:
        print(rewound.model_dump_json(indent=2))  # noqa: T201
        return
    _print(Text(f"{run_id} stands at {rewound.checkpoint or 'its beginning'}. Turns undone: {len(rewound.turns)}"))
    for effect in rewound.effects:
        say(f"What {described(effect)} did stays.")


def _ask_to_repeat(refused: EffectsWouldRepeat) -> None:
    """Raises it again where nobody can be asked, or who is asked says no."""
    if not sys.stdin.isatty():
        raise refused
    say("After this checkpoint the run made calls that the fork may make again, under other keys:")
    for effect in refused.effects:
        say(f"  {described(effect)}")
    if not typer.confirm("Fork all the same?", err=True):
        raise typer.Exit(1)


def _heading(state: RunState) -> list[Text]:
    following = ", ".join(state.next) or "nothing: it is over"
    lines = [
        Text.assemble(("Checkpoint ", "bold"), state.checkpoint),
        Text(f"After superstep {state.step} ({state.source}), {state.created_at}", "dim"),
        Text.assemble(("Next: ", "bold"), following),
    ]
    asked = [f"{task.node} asks {identifier}" for task in state.tasks for identifier in task.interrupts]
    return [*lines, *map(Text, asked), *_origin(state.forked_from), Text()]


def _told(history: StateHistory) -> list[Text]:
    """The oldest first, as it went."""
    lines = _origin(history.forked_from)
    if history.earlier:
        lines.append(Text(f"{history.earlier:,} earlier supersteps", "dim"))
    for superstep in reversed(history.supersteps):
        lines += [_superstep(superstep), *map(_step, superstep.steps)]
        if superstep.more_steps:
            lines.append(Text(f"    and {superstep.more_steps:,} more steps", "dim"))
    from_there = {superstep.checkpoint for superstep in history.supersteps}
    for kept in history.checkpoints:
        if not kept.next and kept.checkpoint not in from_there:
            lines.append(Text.assemble(("   end  ", "bold"), (kept.checkpoint, "cyan")))
            break
    return [*lines, Text(), Text(history.note, "dim")]


def _superstep(superstep: Superstep) -> Text:
    """`3  tools  1f1e8c22-…  1 tool call  12 ms`."""
    line = Text.assemble((f"{superstep.step:>6}  ", "bold"), (", ".join(superstep.nodes), "bold"))
    line.append(f"  {superstep.checkpoint}", "cyan" if superstep.can_fork else "dim strike")
    if not superstep.can_fork:
        line.append("  not kept", "dim")
    if superstep.usage != Usage():
        line.append(f"  {cost(superstep.usage)}", "dim")
    if superstep.seconds is not None:
        line.append(f"  {duration(superstep.seconds)}", "dim")
    return line


def _step(step: StepTaken) -> Text:
    line = Text("        ")
    line.append("✗ " if step.failed else "✓ " if step.seconds is not None else "→ ", "red" if step.failed else "green")
    line.append(step.activity)
    line.append(f" · {step.summary}" if step.summary else "")
    if step.seconds is not None:
        line.append(f"  {duration(step.seconds)}", "dim")
    return line


def _origin(found: Origin | None) -> list[Text]:
    return [Text(f"Forked from {found.run} at checkpoint {found.checkpoint}", "yellow")] if found else []


def _print(*lines: Text) -> None:
    console = Console(highlight=False)
    for line in lines:
        console.print(line, soft_wrap=True)
