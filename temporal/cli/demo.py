"""`perdure demo`: everything is started, a question answered, and everything stopped. With `--crash`, not smoothly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporal.cli.display import ingested, open_display, show_answer
from temporal.cli.errors import say
from temporal.cli.follow import follow, wait_ingested
from temporal.cli.stack import open_local, until_interrupted

if TYPE_CHECKING:
    from temporal.cli.display import Display
    from temporal.cli.stack import Local
    from temporal.client import Run
    from temporal.dev.process import Child
    from temporal.settings import Settings
    from temporal.steps import Step
    from workflows.contracts import AgentResult

QUESTION = "How is an activity notified that it was cancelled, and what does heartbeating have to do with it?"
FATAL_STEP = 2
"""The worker dies when this step is scheduled: one is done, and the run is far from its end."""


def run_demo(settings: Settings, question: str | None, *, crash: bool) -> None:
    until_interrupted(_demo(settings, question or QUESTION, crash=crash))


async def _demo(settings: Settings, question: str, *, crash: bool) -> None:
    with open_display() as display:
        async with open_local(settings, display) as local:
            worker = await local.start_worker()
            run, answer = await local.unless_crashed(_ask(local, display, worker, question, crash=crash))
    show_answer(answer, run.url)
    say("The web UI ended with the demo; `perdure dev` opens it again, with this run.")


async def _ask(local: Local, display: Display, worker: Child, question: str, *, crash: bool) -> tuple[Run, AgentResult]:
    ingestion = await local.ingest_documentation()
    display.note("Reading the documentation of the installed packages.")
    display.note(ingested(await wait_ingested(ingestion, display)))
    run = await local.agents.start("research", question)
    display.note(f"\n{question}\nRun {run.id}  {run.url}")
    if crash:
        await _follow_through_crash(run, local, display, worker)
    else:
        await follow(run, display)
    return run, await run.result()


async def _follow_through_crash(run: Run, local: Local, display: Display, worker: Child) -> None:
    before: list[Step] = []
    steps: dict[str, Step] = {}
    async for step in run.steps():
        display.step(step)
        steps[step.id] = step
        if worker.exit_code is None and len(steps) == FATAL_STEP and not before:
            before = [step for step in steps.values() if step.is_over]
            await _replace(worker, local, display)
    for line in _verdict(before, list(steps.values())):
        display.note(line)


async def _replace(worker: Child, local: Local, display: Display) -> None:
    worker.kill()
    await worker.wait()
    display.note(f"\n✗ Killed the worker, pid {worker.pid}, with kill -9. The run is in Temporal's hands.")
    successor = await local.start_worker()
    display.note(f"  Started another worker, pid {successor.pid}.\n")


def _verdict(before: list[Step], steps: list[Step]) -> list[str]:
    """What was done before the kill is in the history, so nobody did it again; what was open was tried again."""
    done = {step.id for step in before}
    kept = [f"✓ {_name(step)}: done before the kill, not repeated" for step in steps if step.id in done]
    again = [f"↻ {_name(step)}: attempt {step.attempt} by the new worker" for step in steps if step.attempt > 1]
    return ["", *kept, *again]


def _name(step: Step) -> str:
    return f"{step.activity} · {step.summary}" if step.summary else step.activity
