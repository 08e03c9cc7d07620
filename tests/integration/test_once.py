"""Tools that are called in a node that runs as an activity keep to their effect when the node is tried again."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import threading
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import CancelledError

from agents import Agent, Done, Resources, StepOptions, durable, idempotency_key
from agents.testing import ScriptedModel, call
from tests.integration.conftest import PATIENCE, steps
from tests.integration.test_agent_workflow import failure_of, questions_of
from tests.integration.test_saga import cancelled
from tests.integration.threads import begin
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


async def answer(handle: Any, replies: list[Any]) -> None:
    """To one question after the other."""
    for reply in replies:
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], reply])


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
        await answer(handle, ["yes", "really"])
        result = await handle.result()

    assert result["output"] == "plain 1, waiting 1, ['yes', 'really']"
    assert calls == {"plain": 1, "waiting": 1}
    await made.replayed(handle)


@pytest.mark.parametrize("ends", ["asks", "fails"])
async def test_a_call_that_goes_on_when_its_node_ends_is_waited_for(bench, ends: str) -> None:
    begun, over, log = asyncio.Event(), asyncio.Event(), []

    @tool
    async def pay() -> str:
        """Pay, and be through when the node is over."""
        begun.set()
        await over.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        log.append("paid")
        return "paid"

    async def end() -> Any:
        await begun.wait()
        is_first = not over.is_set()
        over.set()
        if ends == "asks":
            return interrupt("Go on?")
        if is_first:
            raise ConnectionError("The line was cut.")
        return "yes"

    def node(paying: BaseTool) -> Any:
        async def settle(_state: MessagesState) -> Any:
            return {"messages": [("ai", str(await asyncio.gather(paying.ainvoke({}), end())))]}

        return settle

    made = bench(agent_of(node, pay), SILENT)

    async with made.worker():
        handle = await made.start("settle")
        if ends == "asks":
            await answer(handle, ["yes"])
        result = await handle.result()

    assert result["output"] == "['paid', 'yes']"
    assert log == ["paid"]
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


def connecting_twice(connecting: BaseTool) -> Any:
    async def call() -> str:
        return type(await connecting.ainvoke({})).__name__

    return failing_once(call)


async def test_a_reconcile_that_gives_something_else_is_named(bench) -> None:
    @durable(reconcile=lambda _key: "paid")
    @tool
    async def connect() -> Any:
        """Connect."""
        return threading.Lock()

    failure = await failure_of(bench(agent_of(connecting_twice, connect), SILENT), "settle")

    assert "The reconcile of tool 'connect' returned 'paid' where Done(value), 'not_done' or" in failure.message


async def test_a_result_that_cannot_be_kept_is_unknown_to_the_next_attempt(bench) -> None:
    begun: list[str] = []

    @tool
    async def connect() -> Any:
        """Connect."""
        begun.append("connect")
        return threading.Lock()

    failure = await failure_of(bench(agent_of(connecting_twice, connect), SILENT), "settle")

    assert begun == ["connect"]
    assert failure.type == "OutcomeUnknown"
    assert "'connect' was called in an earlier attempt of this node" in failure.message
    assert "_thread:lock" in failure.message
    assert "`reconcile`" in failure.message


async def test_a_local_node_refuses_calls_that_it_cannot_note(bench) -> None:
    calls: Counter[str] = Counter()

    def node(plain: BaseTool, _waiting: BaseTool) -> Any:
        async def settle(_state: MessagesState) -> Any:
            return {"messages": [("ai", await plain.ainvoke({}))]}

        return settle

    agent = agent_of(node, *counted(calls), node_step=StepOptions(local=True))
    failure = await failure_of(bench(agent, SILENT), "settle")

    assert failure.message.startswith("Tool 'plain' can't be called in a node that is a local step")
    assert calls == {}


def wiping(log: list[str], **options: Any) -> BaseTool:
    @durable(**{"effect": "destructive", **options})
    @tool
    async def wipe(disk: str) -> str:
        """Wipe a disk."""
        log.append(disk)
        return f"wiped {disk}"

    return wipe


def asking_tools(*tools: BaseTool) -> Any:
    """A node that lets LangGraph's own node of tools answer what the message asks for, side by side."""
    calling = ToolNode(tools)

    async def settle(state: MessagesState) -> Any:
        disks = state["messages"][-1].text.split()
        wanted = [call("wipe", f"call-{disk}", disk=disk).tool_calls[0] for disk in disks]
        return await calling.ainvoke({"messages": [AIMessage("", tool_calls=wanted)]})

    return settle


REJECTED = "A person rejected this call of 'wipe'. It was not carried out. The reason: too dear"
EDITED = 'wiped c\n\nA person changed the arguments before this call was carried out, to {"disk": "c"}.'


@pytest.mark.parametrize("place", ["activity", "workflow"])
@pytest.mark.parametrize(
    ("reply", "ends"),
    [
        (True, ("wiped a", "success", ["a"])),
        ({"approve": True, "arguments": {"disk": "c"}}, (EDITED, "success", ["c"])),
        ({"approve": False, "reason": "too dear"}, (REJECTED, "error", [])),
    ],
    ids=["approved", "edited", "rejected"],
)
async def test_a_call_in_a_node_is_approved_as_elsewhere(
    bench, cached_workflows, place: str, reply: Any, ends: tuple[str, str, list[str]]
) -> None:
    log: list[str] = []
    agent = agent_of(asking_tools, wiping(log), metadata={"execute_in": place})
    made = bench(agent, SILENT, cached=cached_workflows)

    async with made.worker():
        handle = await made.start("a")
        [question] = await questions_of(handle)
        before = [*log]
        await handle.execute_update("answer", args=[question["id"], reply, "anna"])
        result = await handle.result()
        [decision] = await handle.query("decisions")
        messages = (await handle.query("state"))["values"]["messages"]

    assert before == []
    assert (result["output"], messages[-1]["status"], log) == ends
    assert messages[-1]["tool_call_id"] == "call-a"
    assert (question["kind"], question["tool"], question["node"]) == ("approval", "wipe", "settle")
    assert question["value"]["arguments"] == {"disk": "a"}
    assert (decision["by"], decision["tool"], bool(decision["digest"])) == (["anna"], "wipe", bool(log))
    await made.replayed(handle)


async def test_calls_side_by_side_are_asked_for_one_after_the_other_and_each_is_made_once(bench) -> None:
    log: list[str] = []
    made = bench(agent_of(asking_tools, wiping(log)), SILENT)

    async with made.worker():
        handle = await made.start("a b c")
        await answer(handle, [True, False, True])
        await handle.result()
        messages = (await handle.query("state"))["values"]["messages"]

    assert sorted(log) == ["a", "c"]
    assert [message["status"] for message in messages[1:]] == ["success", "error", "success"]
    await made.replayed(handle)


async def test_one_approval_holds_for_similar_calls_in_nodes_too(bench) -> None:
    log: list[str] = []
    made = bench(agent_of(asking_tools, wiping(log)), SILENT)

    async with made.worker():
        handle = await made.start("a b c")
        await answer(handle, [{"approve": True, "similar": True}])
        await handle.result()
        decisions = await handle.query("decisions")

    assert sorted(log) == ["a", "b", "c"]
    assert [decision["how"] for decision in decisions] == ["person", "similar", "similar"]
    await made.replayed(handle)


async def test_only_calls_that_a_rule_names_end_the_node(bench) -> None:
    log: list[str] = []
    rule = "arguments.disk == 'b' && user == 'anna' && cost.model_calls == 0"
    made = bench(agent_of(asking_tools, wiping(log, approve=rule)), SILENT)

    async with made.worker():
        handle = await made.start("a b c", user="anna")
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], True])
        await handle.result()

    assert question["value"]["arguments"] == {"disk": "b"}
    assert question["value"]["rule"] == rule
    assert sorted(log) == ["a", "b", "c"]
    assert steps(await made.replayed(handle)) == ["shop.settle"] * 2


async def test_what_a_node_did_and_asked_before_an_approval_stays(bench, cached_workflows) -> None:
    log: list[str] = []

    @tool
    def pay() -> str:
        """Pay."""
        log.append("paid")
        return f"paid {len(log)}"

    def node(paying: BaseTool, wiping: BaseTool) -> Any:
        def settle(_state: MessagesState) -> Any:
            name = interrupt("Your name?")
            said = [paying.invoke({}), asyncio.run(wiping.ainvoke({"disk": "a"})), interrupt("Your town?")]
            return {"messages": [("ai", f"{name}: {said}")]}

        return settle

    made = bench(agent_of(node, pay, wiping(log)), SILENT, cached=cached_workflows)

    async with made.worker():
        handle = await made.start("settle")
        await answer(handle, ["Anna", True, "Bern"])
        result = await handle.result()

    assert result["output"] == "Anna: ['paid 1', 'wiped a', 'Bern']"
    assert log == ["paid", "a"]
    await made.replayed(handle)


async def test_a_rejection_is_an_error_to_a_node_that_calls_the_tool_itself(bench) -> None:
    log: list[str] = []

    def node(wiping: BaseTool) -> Any:
        async def settle(_state: MessagesState) -> Any:
            try:
                return {"messages": [("ai", await wiping.ainvoke({"disk": "a"}))]}
            except ToolException as error:
                return {"messages": [("ai", f"{type(error).__name__}: {error}")]}

        return settle

    made = bench(agent_of(node, wiping(log)), SILENT)

    async with made.worker():
        handle = await made.start("settle")
        await answer(handle, [False])
        result = await handle.result()

    assert result["output"] == "ToolFailed: A person rejected this call of 'wipe'. It was not carried out."
    assert log == []


async def test_an_agent_inside_a_node_has_its_calls_approved(bench) -> None:
    log: list[str] = []

    def build(resources: Resources) -> Any:
        worker = create_agent(resources.model(), resources.tools)

        async def settle(state: MessagesState) -> Any:
            return {"messages": (await worker.ainvoke(state))["messages"]}

        return StateGraph(MessagesState).add_node("settle", settle, metadata=NODE).add_edge(START, "settle")

    script = [call("wipe", "one", disk="a"), call("wipe", "two", disk="b"), AIMessage("done")]
    made = bench(Agent("shop", build, tools=[wiping(log)]), ScriptedModel(script=script))

    async with made.worker():
        handle = await made.start("settle")
        await answer(handle, [{"approve": True, "arguments": {"disk": "c"}}, True])
        result = await handle.result()

    assert result["output"] == "done"
    assert log == ["c", "b"]
    await made.replayed(handle)


async def test_a_call_in_a_functional_task_is_approved(bench) -> None:
    log: list[str] = []

    def build(resources: Resources) -> Any:
        [wiping] = resources.tools

        @task
        async def wipe_one(disk: str) -> str:
            said: str = await wiping.ainvoke({"disk": disk})
            return said

        @entrypoint()
        async def wipe_all(disks: list[str]) -> list[str]:
            return [await wipe_one(disk) for disk in disks]

        return wipe_all

    agent = Agent("shop", build, tools=[wiping(log)], activity_options={"wipe_one": NODE})
    made = bench(agent, SILENT)

    async with made.worker():
        handle = await made.start(["a", "b"])
        await answer(handle, [True, True])
        result = await handle.result()

    assert result["output"] == ["wiped a", "wiped b"]
    assert log == ["a", "b"]
    await made.replayed(handle)


class Trip:
    """Tools that book and can be undone, and keep in `log` what they did."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.keys: dict[str, str] = {}

    def tools(self, *names: str, **options: Any) -> list[BaseTool]:
        return [self._booking(name, **options) for name in names]

    def _booking(self, name: str, **options: Any) -> BaseTool:
        def undo(result: Any, key: str) -> None:
            assert idempotency_key() == f"{key}:compensation"
            assert key == self.keys[name]
            self.log.append(f"undone {result}")

        @tool(name)
        async def book() -> str:
            """Book."""
            self.keys[name] = idempotency_key()
            self.log.append(name)
            return name

        return durable(compensate=undo, **options)(book)


def booking_then(fails: Any) -> Any:
    """A node that calls its tools, one after the other, and then awaits `fails()`."""

    def node(*tools: BaseTool) -> Any:
        async def settle(_state: MessagesState) -> Any:
            said = [await each.ainvoke({}) for each in tools]
            await fails()
            return {"messages": [("ai", str(said))]}

        return settle

    return node


async def failing() -> None:
    raise ValueError("no car is left")


ONE_ATTEMPT = {**NODE, "retry_policy": RetryPolicy(maximum_attempts=1)}


@pytest.mark.parametrize("effect", ["at_most_once", "idempotent"])
async def test_what_a_failed_node_did_is_undone_in_reverse(bench, cached_workflows, effect: str) -> None:
    trip = Trip()
    agent = agent_of(booking_then(failing), *trip.tools("flight", "hotel", effect=effect), metadata=ONE_ATTEMPT)
    made = bench(agent, SILENT, cached=cached_workflows)

    async with made.worker():
        handle = await made.start("settle")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert trip.log == ["flight", "hotel", "undone hotel", "undone flight"]
    assert failed.value.cause.message.startswith("ValueError: no car is left")
    assert "compens" not in failed.value.cause.message
    assert steps(await made.replayed(handle)) == ["shop.settle", "hotel.compensate", "flight.compensate"]


async def test_what_a_node_did_that_ended_well_is_undone_when_the_run_fails_later(bench) -> None:
    trip = Trip()

    def build(resources: Resources) -> Any:
        async def book(_state: MessagesState) -> None:
            await resources.tools[0].ainvoke({})

        async def fail(_state: MessagesState) -> None:
            await failing()

        graph = StateGraph(MessagesState).add_node("book", book, metadata=NODE).add_node("fail", fail)
        return graph.add_edge(START, "book").add_edge("book", "fail")

    error = await failure_of(bench(Agent("shop", build, tools=trip.tools("flight")), SILENT), "settle")

    assert "no car is left" in error.message
    assert trip.log == ["flight", "undone flight"]


async def test_a_node_that_is_repeated_and_ends_well_undoes_nothing(bench) -> None:
    trip, attempts = Trip(), []

    async def failing_first() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionError("The line was cut.")

    agent = agent_of(booking_then(failing_first), *trip.tools("flight", effect="idempotent"))

    assert await said(bench, agent) == "['flight']"
    assert trip.log == ["flight"]


async def test_a_call_that_raised_leaves_nothing_to_undo(bench) -> None:
    log: list[Any] = []

    @durable(compensate=lambda result, _key: log.append(result))
    @tool
    async def pay() -> str:
        """Pay."""
        raise ValueError("no money is left")

    agent = agent_of(booking_then(failing), pay, metadata=ONE_ATTEMPT)

    error = await failure_of(bench(agent, SILENT), "settle")

    assert error.message.startswith("ValueError: no money is left")
    assert "not compensated" not in error.message
    assert log == []


@pytest.mark.parametrize(
    ("found", "log", "left"),
    [(Done("it was"), ["undone it was"], []), ("not_done", [], []), (None, [], ["pay"])],
    ids=["done", "not done", "nobody knows"],
)
async def test_a_call_that_is_cancelled_in_its_middle_is_undone_where_it_is_known_to_be_done(
    bench, found: Any, log: list[str], left: list[str]
) -> None:
    begun, undone = asyncio.Event(), []

    def undo(result: Any, _key: str) -> None:
        undone.append(f"undone {result}")

    @durable(compensate=undo, reconcile=(lambda _key: found) if found else None)
    @tool
    async def pay() -> str:
        """Pay."""
        begun.set()
        await asyncio.Event().wait()
        return "never"

    made = bench(agent_of(booking_then(failing), pay), SILENT)

    handle, cause = await cancelled(made, begun)

    assert undone == log
    assert re.findall(r"The outcome of tool '(\w+)' .* is unknown, so it was not", str(cause)) == left
    await made.replayed(handle)


async def test_what_earlier_attempts_did_is_undone_when_the_run_is_cancelled_between_two(
    bench, cached_workflows
) -> None:
    """The server then drops what the attempts noted, and says that none was started."""
    trip = Trip()
    slow = RetryPolicy(initial_interval=timedelta(hours=1))
    agent = agent_of(booking_then(failing), *trip.tools("flight", "hotel"), metadata={**NODE, "retry_policy": slow})
    made = bench(agent, SILENT, cached=cached_workflows)

    async with made.worker():
        handle = await made.start("settle", patience=timedelta(days=1))
        while not any(step.attempt > 1 for step in (await handle.describe()).raw_description.pending_activities):
            await asyncio.sleep(0.05)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, CancelledError)
    assert trip.log == ["flight", "hotel", "undone hotel", "undone flight"]
    await made.replayed(handle)


async def test_a_turn_that_is_rolled_back_undoes_what_its_nodes_did(bench) -> None:
    trip, begun = Trip(), asyncio.Event()

    async def wait_first() -> None:
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()

    made = bench(agent_of(booking_then(wait_first), *trip.tools("flight")), SILENT)

    async with made.worker():
        talk = await begin(made)
        first = await talk.send("settle")
        await begun.wait()
        second = await talk.say("settle", policy="rollback")
        first = await talk.wait(first["id"])
        await talk.close()

    assert (first["status"], second["status"]) == ("rolled_back", "done")
    assert trip.log == ["flight", "undone flight", "flight"]
    await talk.histories()


@pytest.mark.parametrize(
    ("agent", "ends"),
    [
        ("finding", "1, paid"),
        ("approving", "1, paid"),
        ("losing", "'pay' was called in an earlier attempt of this node"),
        ("undoing", "is unknown, so it was not compensated."),
    ],
)
async def test_a_worker_that_died_in_a_call_has_left_word_of_it(client, stack, tmp_path, agent: str, ends: str) -> None:
    queue = f"dying-{uuid.uuid4().hex[:8]}"
    command = (sys.executable, "-m", "tests.integration.dying", stack.addresses.temporal_address, queue, tmp_path)
    handle = await client.start_workflow(
        AGENT_WORKFLOW, {"agent": agent, "input": "go"}, id=queue, task_queue=queue, execution_timeout=3 * PATIENCE
    )

    first = await asyncio.create_subprocess_exec(*command)
    if agent == "approving":
        await answer(handle, [True])
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
    lines = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    assert [line[0] for line in lines] == ["count", "pay"] + ["undo"] * ("1, paid" not in ends)
    assert all(line[1:] == ["1", lines[0][1]] for line in lines[2:])
