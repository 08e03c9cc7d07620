"""Whoever follows a run in a terminal is told that it waits for people."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from agents import Agent
from temporal.cli.display import Silent
from temporal.cli.follow import announcing_waits
from temporal.client import Run
from temporal.target import Target
from tests.integration.cases import asking
from tests.integration.conftest import PATIENCE
from tests.integration.test_agent_workflow import GREETING


@dataclass
class Notes(Silent):
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)


async def noted(display: Notes, count: int) -> str:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while len(display.notes) < count:
            await asyncio.sleep(0.05)
    return display.notes[count - 1]


async def test_each_question_is_told_once_with_the_way_to_answer_it(bench) -> None:
    made, display = bench(Agent("asking", asking), GREETING), Notes()

    async with made.worker():
        handle = await made.start({"numbers": [], "path": []})
        run = Run(handle.id, made.client, Target("127.0.0.1:7233", "default", "a test"), made.settings.task_queue)
        async with announcing_waits(run, display):
            first = await noted(display, 1)
            [question] = await run.questions()
            await handle.execute_update("answer", args=[question.id, "Ada"])
            second = await noted(display, 2)
            [question] = await run.questions()
            await handle.execute_update("answer", args=[question.id, "London"])
            await handle.result()

    assert first.startswith(f'The run asks: "Your name?"\nAnswer it: perdure answer {run.id} ')
    assert 'The run asks: {"question": "Your town?", "name": "Ada"}' in second
    assert f"Answer it: perdure answer {run.id} {question.id[:8]} '<your answer, as JSON>'" in second
