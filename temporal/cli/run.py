"""`perdure run`, `result` and `ingest`: start a run or find one, follow it, show how it ended."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from activities.sources import Folder, InstalledDocumentation
from agents.errors import InvalidInput
from temporal.cli.display import Silent, open_display, show_answer, show_ingested
from temporal.cli.errors import say
from temporal.cli.follow import announcing_waits, follow, leaving_it_alive
from temporal.client import open_agents
from workflows.contracts import AGENT_WORKFLOW, INGEST_WORKFLOW, IngestInput, explain
from workflows.turns import THREAD_WORKFLOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from temporal.cli.display import Display
    from temporal.client import Run
    from temporal.settings import Settings


def read_input(text: str, *, is_json: bool) -> Any:
    """What the agent is given: `-` stands for what is piped in."""
    given = sys.stdin.read() if text == "-" else text
    if not is_json:
        return given
    try:
        return json.loads(given)
    except ValueError as error:
        raise InvalidInput(f"The input is no JSON: {error}. Leave out --json-input to send it as text.") from None


async def run_agent(
    settings: Settings,
    agent: str,
    question: Any,
    *,
    run_id: str | None,
    whose: Mapping[str, str | None],
    as_json: bool,
    detach: bool,
) -> None:
    """`whose` are the tenant and the user that the run is for."""
    agents = await open_agents(settings)
    run = await agents.start(agent, question, run_id=run_id, tenant=whose["tenant"], user=whose["user"])
    if detach:
        print(json.dumps({"run": run.id, "url": run.url}) if as_json else run.id)  # noqa: T201 -- what was asked for
        say(f"Follow it with `perdure result {run.id}`.")
        return
    await show_to_end(run, as_json=as_json)


async def show_result(settings: Settings, run_id: str, *, as_json: bool) -> None:
    agents = await open_agents(settings)
    run = await agents.find(run_id)
    if run.kind == THREAD_WORKFLOW:
        raise InvalidInput(f"{run_id!r} is a thread, which has many answers. `perdure turns {run_id}` lists them.")
    await show_to_end(run, as_json=as_json)


def read_folder(folder: Path) -> Path:
    """The worker reads it, so the way to it must not begin where this command was called."""
    if not folder.is_dir():
        raise InvalidInput(f"There is no folder {str(folder)!r}. Give one, or none for the installed documentation.")
    return folder.resolve()


async def ingest(settings: Settings, folder: Path | None, *, collection: str, as_json: bool) -> None:
    source = Folder(path=str(folder)) if folder else InstalledDocumentation()
    try:
        ingestion = IngestInput(collection=collection, source=source)
    except ValidationError as error:
        raise InvalidInput(f"That can't be ingested: {explain(error)}.") from None
    agents = await open_agents(settings)
    run = await agents.ingest(ingestion)
    await show_to_end(run, as_json=as_json)


async def show_to_end(run: Run, *, as_json: bool) -> None:
    """Shows the steps as they come, then the result: its JSON alone, or as people read it."""
    with leaving_it_alive(run), _display(silent=as_json) as display:
        display.note(f"Run {run.id}" + (f"  {run.url}" if run.url else ""))
        async with announcing_waits(run, display):
            await follow(run, display)
    await _show_outcome(run, as_json=as_json)


@contextmanager
def _display(*, silent: bool) -> Iterator[Display]:
    if silent:
        yield Silent()
        return
    with open_display() as display:
        yield display


async def _show_outcome(run: Run, *, as_json: bool) -> None:
    match run.kind:
        case kind if kind == AGENT_WORKFLOW:
            answer = await run.result()
            if as_json:
                print(answer.model_dump_json(indent=2))  # noqa: T201
            else:
                show_answer(answer, run.url)
        case kind if kind == INGEST_WORKFLOW:
            ingested = await run.ingested()
            if as_json:
                print(ingested.model_dump_json(indent=2))  # noqa: T201
            else:
                show_ingested(ingested, run.url)
        case kind:
            raise InvalidInput(
                f"{run.id!r} is of type {kind}, which is no run of an agent. Ask `temporal workflow show` for it."
            )
