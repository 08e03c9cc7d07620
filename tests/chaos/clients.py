"""What clients do to a run while it lives: they start, answer, talk, cancel and terminate it, often twice."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from tests.chaos.plans import plan_for, stages
from tests.chaos.report import Report
from tests.chaos.workers import QUEUE
from workflows.contracts import AGENT_WORKFLOW
from workflows.turns import THREAD_WORKFLOW

PATIENCE = 40.0
"""Seconds that a client waits for an answer."""

NAMES = r"'[^']*'"

ENDING = 100.0
"""Seconds that a run may take when all is calm."""

ASKING = timedelta(seconds=5)
LIVING = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)


@dataclass
class Run:
    """`is_cancelled` and `is_terminated` say what clients asked for."""

    id: str
    kind: str
    first_execution: str
    is_cancelled: bool = False
    is_terminated: bool = False


class Clients:
    """Of one run. Its fate is drawn when it is made."""

    def __init__(self, client: Client, kind: str, name: str, random: Random, report: Report) -> None:
        self._client = client
        self._kind = kind
        self._id = name
        self._random = random
        self._report = report

    async def live(self, deadline: asyncio.Event) -> Run:
        """The run, which has ended. One that goes on long after `deadline` is set is a violation, and is ended."""
        handle = await self._start()
        run = Run(self._id, self._kind, handle.first_execution_run_id or "")
        async with self._meddling(handle, run):
            if not await self._ended(handle, deadline):
                await self._hangs(handle)
                run.is_terminated = True
                await handle.terminate("It hangs.")
        described = await self._client.get_workflow_handle(self._id).describe()
        self._report.ended(self._kind, described.status.name.lower() if described.status else "")
        return run

    async def _start(self) -> WorkflowHandle[Any, Any]:
        if self._kind == "thread":
            return await self._client.start_workflow(
                THREAD_WORKFLOW, {"agent": "react", "idle": 4}, id=self._id, task_queue=QUEUE
            )
        given = {"agent": self._kind, "input": json.dumps(plan_for(self._kind, self._random))}
        return await self._client.start_workflow(AGENT_WORKFLOW, given, id=self._id, task_queue=QUEUE)

    @asynccontextmanager
    async def _meddling(self, handle: WorkflowHandle[Any, Any], run: Run) -> AsyncIterator[None]:
        """What clients do, until the run has ended."""
        fate = self._random.random()
        doing = [self._answer(handle)]
        if fate < 0.4:
            doing.append(self._cancel(handle, run))
        elif fate < 0.45:
            doing.append(self._terminate(handle, run))
        if self._kind == "thread":
            doing.append(self._talk(handle))
        tasks = [asyncio.create_task(each) for each in doing]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ended(self, handle: WorkflowHandle[Any, Any], deadline: asyncio.Event) -> bool:
        ending = asyncio.create_task(ended(self._client, handle.id))
        calm = asyncio.create_task(deadline.wait())
        await asyncio.wait({ending, calm}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({ending}, timeout=ENDING)
        calm.cancel()
        return ending.done() or not ending.cancel()

    async def _hangs(self, handle: WorkflowHandle[Any, Any]) -> None:
        described: WorkflowExecutionDescription = await self._client.get_workflow_handle(handle.id).describe()
        raw = described.raw_description
        steps = [f"{step.activity_type.name} (attempt {step.attempt})" for step in raw.pending_activities]
        self._report.violation(
            f"{handle.id} hangs. Steps: {', '.join(steps) or 'none'}; children: {len(raw.pending_children)}; "
            f"workflow task: {' '.join(str(raw.pending_workflow_task).split()) or 'none'}"
        )

    async def _cancel(self, handle: WorkflowHandle[Any, Any], run: Run) -> None:
        await asyncio.sleep(self._random.choice([1, 4, 12]) * self._random.random())
        run.is_cancelled = True
        await self._told(handle.cancel())
        await asyncio.sleep(self._random.choice([0, 0.05, 1]))
        await self._told(handle.cancel())

    async def _terminate(self, handle: WorkflowHandle[Any, Any], run: Run) -> None:
        await asyncio.sleep(self._random.uniform(0, 8))
        run.is_terminated = True
        await self._told(handle.terminate())
        await self._told(handle.terminate())

    async def _talk(self, handle: WorkflowHandle[Any, Any]) -> None:
        for turn in range(self._random.randint(1, 4)):
            said: dict[str, Any] = {"input": json.dumps({"stages": stages(self._random)}), "id": f"turn-{turn}"}
            if policy := self._random.choice([None, None, "enqueue", "reject", "interrupt", "rollback"]):
                said["policy"] = policy
            await self._told(handle.execute_update("send", {**said, "wait": False}))
            await asyncio.sleep(self._random.choice([0, self._random.uniform(0, 4)]))
            if self._random.random() < 0.25:
                await self._told(handle.execute_update("interrupt"))
        if self._random.random() < 0.7:
            await self._told(handle.execute_update("close"))

    async def _answer(self, handle: WorkflowHandle[Any, Any]) -> None:
        """All that the run and its agents ask, rightly and wrongly, once and several times."""
        while True:
            await asyncio.sleep(self._random.uniform(0.3, 1.2))
            for asker in [handle, *await self._called(handle)]:
                for question in await self._questions(asker):
                    answers = self._answers(question)
                    self._random.shuffle(answers)
                    updates = [asker.execute_update("answer", args=given) for given in answers]
                    await asyncio.gather(*map(self._told, updates))

    def _answers(self, question: dict[str, Any]) -> list[list[Any]]:
        match question.get("kind"):
            case "approval":
                right = self._random.choice([True, True, False, {"approve": False, "reason": "no"}])
            case "unknown_outcome":
                right = self._random.choice(["done", "tell_model", "fail_run", {"outcome": "done", "value": "it"}])
            case _:
                right = "an answer"
        answers = [[question["id"], right, "ann"]] * self._random.choice([1, 1, 2, 3])
        wrong = [["nobody asked", right], [question["id"], {"off": 1}], [question["id"], False, "bob"]]
        return [*answers, *(each for each in wrong if self._random.random() < 0.25)]

    async def _called(self, handle: WorkflowHandle[Any, Any]) -> list[WorkflowHandle[Any, Any]]:
        if self._kind != "parent":
            return []
        described = await self._told(handle.describe())
        children = described.raw_description.pending_children if described else []
        return [self._client.get_workflow_handle(child.workflow_id) for child in children]

    async def _questions(self, handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
        return await self._told(handle.query("questions", rpc_timeout=ASKING)) or []

    async def _told(self, asking: Coroutine[Any, Any, Any]) -> Any:
        """The answer, or None. What a client is refused is counted, not judged."""
        try:
            return await asyncio.wait_for(asking, PATIENCE)
        except TimeoutError:
            self._report.refusals[f"no answer within {PATIENCE:.0f} s"] += 1
        except Exception as error:  # noqa: BLE001 -- see above
            self._refused(error)
        return None

    def _refused(self, error: Exception) -> None:
        cause = getattr(error, "cause", None) or error
        self._report.refusals[f"{type(error).__name__}: {re.sub(NAMES, '…', str(cause))[:80]}"] += 1


async def ended(client: Client, workflow: str) -> None:
    """Returns when all its executions have."""
    while True:
        with suppress(RPCError):
            if (await client.get_workflow_handle(workflow).describe()).status not in LIVING:
                return
        await asyncio.sleep(0.4)


async def called_by(client: Client, run: Run, report: Report) -> list[Run]:
    """The agents that it has called, which may be cancelled with it and may not live on without it."""
    history = await client.get_workflow_handle(run.id, run_id=run.first_execution).fetch_history()
    begun = [event.child_workflow_execution_started_event_attributes.workflow_execution for event in history.events]
    agents = [Run(each.workflow_id, "react", each.run_id, is_cancelled=True) for each in begun if each.workflow_id]
    for agent in agents:
        try:
            await asyncio.wait_for(ended(client, agent.id), ENDING)
        except TimeoutError:
            report.violation(f"{agent.id} lives on after the end of the run that called it")
            agent.is_terminated = True
            await client.get_workflow_handle(agent.id).terminate()
    return agents
