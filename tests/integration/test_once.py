"""Tools that are called in a node that runs as an activity keep to their effect when the node is tried again."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from temporalio.client import WorkflowFailureError

from agents import Agent, Done, Resources, durable, idempotency_key
from agents.testing import ScriptedModel
from tests.integration.conftest import PATIENCE
from tests.integration.test_agent_workflow import failure_of, questions_of
from workflows.contracts import AGENT_WORKFLOW

SILENT = ScriptedModel(script=[])
NODE = {"execute_in": "activity"}


def agent_of(node: Any, *tools: BaseTool, metadata: Any = NODE, **options: Any) -> Agent:
    """An agent of one node, an activity, which `node` makes of the tools."""

    def build(resources: Resources) -> Any:
        graph = StateGraph(MessagesState)
        graph.add_node("settle", node(*resources.tools), metadata=metadata)
        graph.add_edge(START, "settle")
        return graph

    return Agent("shop", build, tools=tools, **options)


def failing_once(call: Any) -> Any:
    """A node that awaits `call()`, and fails when it has done so for the first time."""
    gave = []

    async def settle(_state: MessagesState) -> Any:
        gave.append(await call())
        if len(gave) == 1:
            raise ConnectionError("The line was cut.")
        return {"messages": [("ai", f"{gave[0]} {gave[1]}")]}

    return settle


async def said(bench: Any, agent: Agent) -> str:
    result, _ = await bench(agent, SILENT).run("settle")
    answer: str = result["output"]
    return answer


class Dice(BaseTool):
    """A tool that is a class of its own, one of whose bodies calls the other."""

    name: str = "dice"
    description: str = "Throw them."
    thrown: ClassVar[list[str]] = []

    def _run(self) -> str:
        self.thrown.append(idempotency_key())
        return str(len(self.thrown))

    async def _arun(self) -> str:
        return self._run()


def counted(calls: Counter[str]) -> tuple[BaseTool, BaseTool]:
    @tool
    def plain() -> str:
        """Do it."""
        calls["plain"] += 1
        return f"plain {calls['plain']}"

    @tool
    async def waiting() -> str:
        """Do it, in time."""
        calls["waiting"] += 1
        return f"waiting {calls['waiting']}"

    return plain, waiting


async def test_a_call_that_has_ended_is_not_made_again_and_gives_what_it_gave(bench) -> None:
    calls: Counter[str] = Counter()

    def node(plain: BaseTool, waiting: BaseTool, dice: BaseTool) -> Any:
        async def call() -> list[str]:
            return [await plain.ainvoke({}), await waiting.ainvoke({}), plain.invoke({}), await dice.ainvoke({})]

        return failing_once(call)

    Dice.thrown.clear()
    answer = await said(bench, agent_of(node, *counted(calls), Dice()))

    assert answer == " ".join(["['plain 1', 'waiting 1', 'plain 2', '1']"] * 2)
    assert calls == {"plain": 2, "waiting": 1}
    assert len(Dice.thrown) == 1


async def test_a_synchronous_node_repeats_no_call_either(bench) -> None:
    calls: Counter[str] = Counter()
    threads: list[str] = []

    def node(plain: BaseTool, waiting: BaseTool) -> Any:
        def settle(_state: MessagesState) -> Any:
            threads.append(threading.current_thread().name)
            gave = f"{plain.invoke({})}, {asyncio.run(waiting.ainvoke({}))}"
            if len(threads) == 1:
                raise ConnectionError("The line was cut.")
            return {"messages": [("ai", gave)]}

        return settle

    assert await said(bench, agent_of(node, *counted(calls))) == "plain 1, waiting 1"
    assert calls == {"plain": 1, "waiting": 1}
    assert threads == ["perdure-node"] * 2


async def test_calls_side_by_side_are_all_known_to_the_next_attempt(bench) -> None:
    begun: list[int] = []

    @tool
    async def pay(amount: int) -> str:
        """Pay."""
        begun.append(amount)
        return f"{amount} paid"

    def node(paying: BaseTool) -> Any:
        async def call() -> int:
            return len(await asyncio.gather(*(paying.ainvoke({"amount": amount}) for amount in range(30))))

        return failing_once(call)

    assert await said(bench, agent_of(node, pay)) == "30 30"
    assert sorted(begun) == [*range(30)]


async def test_a_call_that_raised_is_over_and_may_be_made_again(bench) -> None:
    begun: list[str] = []

    @tool
    async def pay() -> str:
        """Pay."""
        begun.append(idempotency_key())
        if len(begun) == 1:
            raise ConnectionError("The bank does not answer.")
        return "paid"

    def node(paying: BaseTool) -> Any:
        async def settle(_state: MessagesState) -> Any:
            return {"messages": [("ai", await paying.ainvoke({}))]}

        return settle

    assert await said(bench, agent_of(node, pay)) == "paid"
    assert len(begun) == 2
    assert len({*begun}) == 1


async def test_what_was_called_before_a_question_is_not_called_again_after_the_answer(bench, cached_workflows) -> None:
    calls: Counter[str] = Counter()

    def node(plain: BaseTool, waiting: BaseTool) -> Any:
        async def settle(_state: MessagesState) -> Any:
            first = await plain.ainvoke({})
            answers = [interrupt("Go on?")]
            second = await waiting.ainvoke({})
            answers.append(interrupt("Really?"))
            return {"messages": [("ai", f"{first}, {second}, {answers}")]}

        return settle

    made = bench(agent_of(node, *counted(calls)), SILENT, cached=cached_workflows)
    async with made.worker():
        handle = await made.start("settle")
        for answer in ("yes", "really"):
            [question] = await questions_of(handle)
            await handle.execute_update("answer", args=[question["id"], answer])
        result = await handle.result()

    assert result["output"] == "plain 1, waiting 1, ['yes', 'really']"
    assert calls == {"plain": 1, "waiting": 1}
    await made.replayed(handle)


@pytest.mark.parametrize(
    ("found", "ends", "begun"),
    [(Done("paid long ago"), "paid long ago", 1), ("not_done", "paid", 2)],
    ids=["done", "not done"],
)
async def test_a_call_that_was_cut_off_is_looked_up(bench, found: Any, ends: str, begun: int) -> None:
    keys: list[str] = []

    def look_up(key: str) -> Any:
        assert key == keys[0]
        return found

    @durable(reconcile=look_up)
    @tool
    async def pay() -> str:
        """Pay."""
        keys.append(idempotency_key())
        if len(keys) == 1:
            await asyncio.Event().wait()
        return "paid"

    def node(paying: BaseTool) -> Any:
        async def settle(_state: MessagesState) -> Any:
            return {"messages": [("ai", await paying.ainvoke({}))]}

        return settle

    timely = {**NODE, "start_to_close_timeout": timedelta(seconds=3)}

    assert await said(bench, agent_of(node, pay, metadata=timely)) == ends
    assert len(keys) == begun
    assert len({*keys}) == 1


async def test_a_result_that_cannot_be_kept_is_unknown_to_the_next_attempt(bench) -> None:
    begun: list[str] = []

    @tool
    async def connect() -> Any:
        """Connect."""
        begun.append("connect")
        return threading.Lock()

    def node(connecting: BaseTool) -> Any:
        async def call() -> str:
            return type(await connecting.ainvoke({})).__name__

        return failing_once(call)

    failure = await failure_of(bench(agent_of(node, connect), SILENT), "settle")

    assert begun == ["connect"]
    assert failure.type == "OutcomeUnknown"
    assert "'connect' was called in an earlier attempt of this node" in failure.message
    assert "_thread:lock" in failure.message
    assert "`reconcile`" in failure.message


async def test_what_must_be_approved_is_refused_where_nobody_can_be_asked(bench) -> None:
    begun: list[str] = []

    @durable(effect="destructive")
    @tool
    async def wipe() -> str:
        """Wipe the disk."""
        begun.append("wipe")
        return "wiped"

    def node(wiping: BaseTool) -> Any:
        async def settle(_state: MessagesState) -> Any:
            return {"messages": [("ai", await wiping.ainvoke({}))]}

        return settle

    failure = await failure_of(bench(agent_of(node, wipe), SILENT), "settle")

    assert begun == []
    assert "Calls of tool 'wipe' may have to wait for a person's approval" in failure.message
    assert "Call it where the graph runs" in failure.message


@pytest.mark.parametrize(
    ("agent", "ends"),
    [("finding", "1, paid"), ("losing", "'pay' was called in an earlier attempt of this node")],
)
async def test_a_worker_that_died_in_a_call_has_left_word_of_it(client, stack, tmp_path, agent: str, ends: str) -> None:
    queue = f"dying-{uuid.uuid4().hex[:8]}"
    command = (sys.executable, "-m", "tests.integration.dying", stack.addresses.temporal_address, queue, tmp_path)
    handle = await client.start_workflow(
        AGENT_WORKFLOW, {"agent": agent, "input": "go"}, id=queue, task_queue=queue, execution_timeout=PATIENCE
    )

    first = await asyncio.create_subprocess_exec(*command)
    await first.wait()
    second = await asyncio.create_subprocess_exec(*command)
    try:
        ended = (await handle.result())["output"]
    except WorkflowFailureError as error:
        ended = str(error.cause)
    second.terminate()
    await second.wait()

    assert first.returncode == -signal.SIGKILL
    assert ends in ended
    assert [line.split()[0] for line in (tmp_path / "calls").read_text().splitlines()] == ["count", "pay"]
