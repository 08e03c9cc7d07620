"""Follows a run to its end on a display. Runs in the command line's process."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from activities.events import TokenEvent
from temporal.cli.errors import say
from temporal.client import ServerUnreachable
from temporal.writing import Writing
from workflows.contracts import INGEST_WORKFLOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from temporal.cli.display import Display
    from temporal.client import Run
    from workflows.contracts import IngestResult, Question

INTERVAL = 1.0


class Notes(Protocol):
    def note(self, text: str) -> None:
        """Shows a line that stays."""


async def follow(run: Run, display: Display) -> None:
    """Shows the steps of `run` until it is over; of an ingestion, how far it is as well."""
    accompanying = _report_progress if run.kind == INGEST_WORKFLOW else _show_tokens
    async with meanwhile(accompanying(run, display)):
        async for step in run.steps():
            display.step(step)
    display.status("")
    display.writing("")


async def wait_ingested(run: Run, display: Display) -> IngestResult:
    """Shows how far the ingestion is, and not its steps."""
    async with meanwhile(_report_progress(run, display)):
        result = await run.ingested()
    display.status("")
    return result


@asynccontextmanager
async def announcing_waits(run: Run, display: Display) -> AsyncIterator[None]:
    """Says so while no worker takes up what `run` has to do, and while it waits for people."""
    async with meanwhile(announce_waits(run, display)), meanwhile(_announce_questions(run, display)):
        yield


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """What goes wrong with `work` goes wrong with what it accompanies, which tells it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def announce_waits(run: Run, display: Notes) -> None:
    waited = announced = False
    while True:
        await asyncio.sleep(INTERVAL)
        waits = await run.waits_for_worker()
        if waits and waited and not announced:
            queue = run.task_queue
            display.note(f"No worker of task queue {queue!r} takes up the run; it waits. Start one: `perdure worker`.")
            announced = True
        elif announced and not waits:
            display.note("A worker took it up.")
            announced = False
        waited = waits


async def _announce_questions(run: Run, display: Display) -> None:
    announced: set[str] = set()
    while run.kind != INGEST_WORKFLOW:
        await asyncio.sleep(INTERVAL)
        for question in await run.questions():
            if question.id not in announced:
                announced.add(question.id)
                display.note(_asked(run, question))


def _asked(run: Run, question: Question) -> str:
    told = json.dumps(question.value, ensure_ascii=False)
    place = f"{run.id} {question.id[:8]}"
    if question.kind == "approval":
        who = f" {' or '.join(question.deciders)} decides." if question.deciders else ""
        return f"The run asks: {told}{who}\nDecide: perdure approve {place}, or perdure reject {place}"
    return f"The run asks: {told}\nAnswer it: perdure answer {place} '<your answer, as JSON>'"


async def _show_tokens(run: Run, display: Display) -> None:
    writing = Writing()
    async with aclosing(run.events()) as events:
        async for event in events:
            if writing.apply(event):
                display.writing(writing.text if isinstance(event, TokenEvent) else "")


async def _report_progress(run: Run, display: Display) -> None:
    while True:
        progress = await run.ingest_progress()
        if progress and progress.listed:
            display.status(f"{progress.done:,} of {progress.listed:,} documents, {progress.chunks:,} chunks")
        await asyncio.sleep(INTERVAL)


@contextmanager
def leaving_it_alive(run: Run) -> Iterator[None]:
    """Ctrl-C and a lost connection end the watching, never the run."""
    try:
        yield
    except (asyncio.CancelledError, ServerUnreachable):
        say(f"Run {run.id!r} goes on. Come back with `perdure result {run.id}`.")
        raise
