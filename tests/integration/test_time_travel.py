"""State and history of runs, and forks, which answer as plain LangGraph does from the same checkpoint."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Send, interrupt
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowHistory

from agents import Agent, Resources, durable
from agents.agent import LiveResources
from agents.errors import CheckpointPruned, EffectsWouldRepeat, InvalidInput, UnknownModel
from agents.exchange import graph_input
from agents.graph import compiled_graph
from agents.testing import ScriptedModel, call
from temporal.client import Agents, Run, RunExists
from temporal.outcome import RunFailed
from temporal.replay import scheduled
from temporal.storage import StorageLocation
from temporal.target import Target
from temporal.worker import make_worker
from tests.integration.cases import add
from tests.integration.conftest import Bench, steps, storing_client
from tests.integration.parity.graphs import EMPTY, Totals, going_through, on_path
from tests.integration.parity.subgraphs import remembering
from tests.integration.test_effects import Till, tool_node

SCRIPT = [call("add", "one", a=1, b=1), call("add", "two", a=2, b=2), AIMessage("Six in all.")]
reading = durable(effect="read")(add)


def agents_of(made: Bench) -> Agents:
    return Agents(made.client, Target("test", "default", "a test"), made.settings.task_queue)


def adding(*tools: Any, name: str = "adding", **options: Any) -> Agent:
    return Agent(name, tool_node, tools=tools or (reading,), **({"durability": "sync"} | options))


async def finished(made: Bench, agents: Agents, given: Any) -> Run:
    run = await agents.start(made.agent.name, given)
    await run.result()
    return run


async def replayed(made: Bench, run: Run) -> list[str]:
    return steps(await made.replayed(made.client.get_workflow_handle(run.id)))


# Reading


async def test_a_history_says_what_each_superstep_did_and_cost(bench, cached_workflows) -> None:
    made = bench(adding(), ScriptedModel(script=SCRIPT), cached=cached_workflows)

    async with made.worker():
        run = await finished(made, agents_of(made), "Add.")
        history = await run.history()

    shown = [(each.step, each.nodes, [taken.activity for taken in each.steps]) for each in history.supersteps]
    assert shown == [
        (5, ["model"], ["call_model"]),
        (4, ["tools"], ["add"]),
        (3, ["model"], ["call_model"]),
        (2, ["tools"], ["add"]),
        (1, ["model"], ["call_model"]),
        (0, ["__start__"], []),
    ]
    assert [each.usage.model_calls for each in history.supersteps] == [1, 0, 1, 0, 1, 0]
    assert [each.usage.tool_calls for each in history.supersteps] == [0, 1, 0, 1, 0, 0]
    assert history.supersteps[1].steps[0].summary == "a=2, b=2"
    assert all(taken.seconds is not None for each in history.supersteps for taken in each.steps)
    assert all(each.can_fork for each in history.supersteps)
    assert [each.next for each in history.checkpoints[:2]] == [[], ["model"]]


async def test_supersteps_are_listed_though_their_checkpoints_are_not_kept(bench) -> None:
    made = bench(adding(durability="exit"), ScriptedModel(script=SCRIPT))

    async with made.worker():
        run = await finished(made, agents_of(made), "Add.")
        history = await run.history(2)

        with pytest.raises(CheckpointPruned, match='"sync"'):
            await run.state(history.supersteps[0].checkpoint)

    assert [each.nodes for each in history.supersteps] == [["model"], ["tools"]]
    assert history.earlier == 4
    assert not any(each.can_fork for each in history.supersteps)
    assert "where the run stopped" in history.note


async def test_a_state_is_told_as_of_each_kept_checkpoint_and_no_other(bench) -> None:
    made = bench(adding(checkpoints=3), ScriptedModel(script=SCRIPT))

    async with made.worker():
        run = await finished(made, agents_of(made), "Add.")
        history = await run.history()
        states = [await run.state(each.checkpoint) for each in history.checkpoints]
        with pytest.raises(CheckpointPruned, match=r"is not kept\. The newest that are: "):
            await run.state(history.supersteps[-1].checkpoint)

    assert [len(state.values["messages"]) for state in states] == [6, 5, 4]
    assert [state.next for state in states] == [[], ["model"], ["tools"]]
    assert history.pruned == 4
    assert [each.can_fork for each in history.supersteps] == [True, True, False, False, False, False]


# Forking


@dataclass(frozen=True)
class Trip:
    """A fork of the checkpoint after which `next` come: with other words, state or nodes."""

    next: str
    at: int = 0
    state: Callable[[Any], Any] | None = None
    as_node: str | None = None
    input: Any = None


def other_sum(values: Any) -> Any:
    last = values["messages"][-1]
    message = last if isinstance(last, dict) else last.model_dump()
    return {
        "messages": [{"role": "tool", "content": "70", "id": message["id"], "tool_call_id": message["tool_call_id"]}]
    }


TRIPS = {
    "again": Trip("model", 1),
    "edited": Trip("model", 0, other_sum),
    "edited as a node": Trip("tools", 0, lambda _values: {"messages": ["Never mind."]}, "tools"),
    "other words": Trip("", input="And now?"),
    "other words in the middle": Trip("model", 0, input="Stop."),
    "edited, with other words": Trip("model", 0, other_sum, input="And now?"),
    "from its beginning": Trip("__start__"),
}


async def plain_fork(agent: Agent, model: Any, given: Any, trip: Trip) -> list[str]:
    """The texts of the conversation, in LangGraph itself."""
    graph = compiled_graph(agent, LiveResources(lambda _name: model, [*agent.tools]))
    graph = graph.copy({"checkpointer": InMemorySaver()})
    config = {"configurable": {"thread_id": "plain"}}
    await graph.ainvoke(graph_input(graph, given), config)
    states = [
        state async for state in graph.aget_state_history(config) if [*state.next] == [trip.next][: bool(trip.next)]
    ]
    at = states[trip.at].config
    if trip.state or trip.as_node:
        at = await graph.aupdate_state(at, trip.state and trip.state(states[trip.at].values), as_node=trip.as_node)
    ended = await graph.ainvoke(None if trip.input is None else graph_input(graph, trip.input), at)
    return [message.text for message in ended["messages"]]


class Echo(ScriptedModel):
    """Beyond its script it repeats what it was told last."""

    def _answer(self, messages: Any) -> AIMessage:
        given = sum(isinstance(message, AIMessage) for message in messages)
        if given < len(self.script) and "Stop" not in messages[-1].text:
            return super()._answer(messages)
        return AIMessage(f"You said {messages[-1].text}")


@pytest.mark.parametrize("trip", TRIPS.values(), ids=TRIPS)
async def test_a_fork_is_that_of_plain_langgraph(bench, trip) -> None:
    made = bench(adding(), Echo(script=SCRIPT))

    async with made.worker():
        agents = agents_of(made)
        run = await finished(made, agents, "Add.")
        history = await run.history()
        at = [each for each in history.checkpoints if each.next == [trip.next][: bool(trip.next)]][trip.at].checkpoint
        state = trip.state and trip.state((await run.state(at)).values)
        fork = await agents.fork(run.id, checkpoint=at, state=state, as_node=trip.as_node, input=trip.input)
        await fork.result()
        ended = await fork.state()

    assert [message["content"] for message in ended.values["messages"]] == await plain_fork(
        made.agent, made.model, "Add.", trip
    )
    assert ended.forked_from is not None
    assert (ended.forked_from.run, ended.forked_from.checkpoint) == (run.id, at)
    await replayed(made, fork)
    await replayed(made, run)


# Effects


@pytest.mark.parametrize("effect", ["idempotent", "at_most_once"])
async def test_effects_are_repeated_only_on_an_explicit_yes(bench, effect) -> None:
    till = Till()
    made = bench(
        adding(till.pay(effect=effect), reading),
        ScriptedModel(script=[call("add", "one", a=1, b=1), call("pay", "two", amount=5), AIMessage("Paid.")]),
    )

    async with made.worker():
        agents = agents_of(made)
        run = await finished(made, agents, "Pay.")
        [_, after, before, *_] = (await run.history()).checkpoints

        with pytest.raises(EffectsWouldRepeat, match=rf"pay\(5\), {effect}, done, key {till.paid[0][1]}") as refused:
            await agents.fork(run.id, checkpoint=before.checkpoint)
        unrepeated = await agents.fork(run.id, checkpoint=after.checkpoint)
        await unrepeated.result()
        assert till.amounts == [5]

        fork = await agents.fork(run.id, checkpoint=before.checkpoint, repeat_effects=True)
        await fork.result()

    [named] = refused.value.effects
    assert (named.tool, named.key, named.outcome, named.effect) == ("pay", till.paid[0][1], "done", effect)
    assert till.amounts == [5, 5]
    assert len({key for _, key in till.paid}) == 2
    assert await replayed(made, fork) == ["pay", "call_model"]


async def test_a_call_that_was_not_started_counts_for_nothing(bench) -> None:
    till = Till()
    made = bench(
        adding(till.pay(effect="destructive")),
        ScriptedModel(script=[call("pay", "one", amount=5), AIMessage("Not paid.")]),
    )

    async with made.worker():
        agents = agents_of(made)
        run = await agents.start("adding", "Pay.")
        [question] = await asked(run)
        handle = made.client.get_workflow_handle(run.id)
        await handle.execute_update("answer", args=[question.id, False])
        await run.result()
        fork = await agents.fork(run.id, checkpoint=(await run.history()).checkpoints[2].checkpoint)
        [again] = await asked(fork)
        await made.client.get_workflow_handle(fork.id).execute_update("answer", args=[again.id, True])
        await fork.result()

    assert till.amounts == [5]
    assert again.id != question.id
    assert await replayed(made, fork) == ["pay", "call_model"]


async def asked(run: Run) -> list[Any]:
    while not (questions := await run.questions()):
        await asyncio.sleep(0.05)
    return questions


# With another model, agent, context


class Named(ScriptedModel):
    name: str

    def _answer(self, messages: Any) -> AIMessage:
        return AIMessage(self.name) if self.name != "scripted" else super()._answer(messages)


def by_name(made: Bench) -> Any:
    """A worker whose models are known by their names."""
    script = made.model.script
    return make_worker(
        made.client,
        made.settings,
        registry=made.registry,
        model_id=lambda name: name or "scripted",
        chat_model=lambda name: Named(script=script, name=name),
    )


async def test_a_fork_is_answered_by_another_model(bench) -> None:
    made = bench(adding(), ScriptedModel(script=SCRIPT))

    async with by_name(made):
        agents = agents_of(made)
        run = await finished(made, agents, "Add.")
        at = (await run.history()).supersteps[2].checkpoint
        fork = await agents.fork(run.id, checkpoint=at, model="openai:gpt-5")
        result = await fork.result()
        with pytest.raises(UnknownModel):
            await agents.fork(run.id, model="gpt-5")

    assert result.output == "openai:gpt-5"
    assert result.usage.model_calls == 1
    history = await made.replayed(made.client.get_workflow_handle(fork.id))
    [(_, [request])] = scheduled(history)
    assert json.loads(request)["model"] == "openai:gpt-5"


def with_prompt(prompt: str) -> Any:
    def build(resources: Resources) -> Any:
        async def model(state: MessagesState) -> dict[str, Any]:
            answer = (
                await resources.model().bind_tools(resources.tools).ainvoke([("system", prompt), *state["messages"]])
            )
            return {"messages": [answer]}

        return (
            StateGraph(MessagesState)
            .add_node("model", model)
            .add_node("tools", ToolNode(resources.tools))
            .add_edge(START, "model")
            .add_conditional_edges("model", tools_condition)
            .add_edge("tools", "model")
        )

    return build


async def test_a_fork_goes_on_with_another_version_of_the_agent(bench) -> None:
    second = Agent("adding-v2", with_prompt("Be brief."), tools=[reading])
    other = Agent("other", with_other_nodes, tools=[reading])
    made = bench(adding(), Echo(script=SCRIPT), others=[second, other])

    async with made.worker():
        agents = agents_of(made)
        run = await finished(made, agents, "Add.")
        at = (await run.history()).supersteps[2].checkpoint
        fork = await agents.fork(run.id, checkpoint=at, agent="adding-v2")
        result = await fork.result()
        with pytest.raises(RunFailed, match="Agent 'other' has no node 'model', which comes next"):
            await (await agents.fork(run.id, checkpoint=at, agent="other")).result()

    assert (result.agent, result.output) == ("adding-v2", "Six in all.")
    history = await made.replayed(made.client.get_workflow_handle(fork.id))
    assert b"Be brief." in scheduled(history)[0][1][0]


def with_other_nodes(_resources: Resources) -> Any:
    return StateGraph(MessagesState).add_node("elsewhere", lambda _state: {}).add_edge(START, "elsewhere")


async def test_what_cant_be_forked_is_refused(bench) -> None:
    made = bench(adding(), ScriptedModel(script=SCRIPT))

    async with made.worker():
        agents = agents_of(made)
        run = await finished(made, agents, "Add.")
        with pytest.raises(InvalidInput, match="Nothing comes after checkpoint"):
            await agents.fork(run.id)
        with pytest.raises(CheckpointPruned, match="'nonsense' is not kept"):
            await agents.fork(run.id, checkpoint="nonsense")
        fork = await agents.fork(run.id, state={"messages": ["x"]}, as_node="nowhere")
        with pytest.raises(RunFailed, match="no node 'nowhere'"):
            await fork.result()
        with pytest.raises(RunExists):
            await agents.fork(run.id, input="More.", fork_id=run.id)


# Questions, subgraphs, large states


def asking_inside(_resources: Resources) -> Any:
    """A subgraph of three nodes, the second of which asks."""

    def ask(_state: Totals) -> dict[str, Any]:
        return {"path": [f"said {interrupt('Go on?')}"]}

    inner = going_through(Totals, on_path("before"), ask, on_path("after")).compile()
    return going_through(Totals, on_path("outer"), inner, on_path("end"))


async def answered(made: Bench, run: Run, reply: str) -> Any:
    [question] = await asked(run)
    await made.client.get_workflow_handle(run.id).execute_update("answer", args=[question.id, reply])
    return (await run.result()).output


@pytest.mark.parametrize("durability", ["exit", "sync"])
async def test_a_question_is_answered_otherwise_in_a_fork(bench, durability) -> None:
    made = bench(Agent("asking", asking_inside, durability=durability), ScriptedModel(script=[]))

    async with made.worker():
        agents = agents_of(made)
        run = await agents.start("asking", EMPTY)
        [question] = await asked(run)
        state = await run.state()
        alive = await agents.fork(run.id)
        first = await answered(made, run, "yes")
        again = await agents.fork(run.id, checkpoint=state.checkpoint)
        second, third = await answered(made, alive, "no"), await answered(made, again, "never")

    [task] = state.tasks
    assert (task.node, task.interrupts, task.values["path"]) == ("node-1", [question.id], ["outer", "before"])
    assert first["path"] == ["outer", "outer", "before", "said yes", "after", "end"]
    assert second["path"] == ["outer", "outer", "before", "said no", "after", "end"]
    assert third["path"] == ["outer", "outer", "before", "said never", "after", "end"]
    await replayed(made, alive)
    await replayed(made, again)


async def test_a_subgraph_remembers_as_of_the_checkpoint(bench) -> None:
    made = bench(Agent("remembering", remembering, durability="sync"), ScriptedModel(script=[]))

    async with made.worker():
        agents = agents_of(made)
        run = await finished(made, agents, EMPTY)
        history = await run.history()
        at = next(each.checkpoint for each in history.supersteps if each.step == 2)
        fork = await agents.fork(run.id, checkpoint=at)
        result = await fork.result()

    saver = InMemorySaver()
    graph = compiled_graph(made.agent, LiveResources(lambda _name: made.model)).copy({"checkpointer": saver})
    config = {"configurable": {"thread_id": "plain"}}
    await graph.ainvoke(EMPTY, config)
    [state] = [each async for each in graph.aget_state_history(config) if each.metadata["step"] == 1]
    plain = await graph.ainvoke(None, state.config)
    assert result.output["path"] == plain["path"] == ["call 1", "call 2", "call 3"]
    await replayed(made, fork)


async def test_a_large_state_is_forked_by_way_of_the_storage(bench, stack, tmp_path) -> None:
    storing = await storing_client(stack, StorageLocation("a folder", tmp_path / "storage"))
    made = bench(adding(), Echo(script=SCRIPT), on=storing)

    async with made.worker():
        agents = agents_of(made)
        run = await finished(made, agents, "x" * 5_000_000)
        at = (await run.history()).supersteps[2].checkpoint
        fork = await agents.fork(run.id, checkpoint=at)
        result = await fork.result()
        state = await fork.state()

    assert result.output == "Six in all."
    assert len(state.values["messages"][0]["content"]) == 5_000_000
    history = await made.replayed(made.client.get_workflow_handle(fork.id))
    assert sum(event.ByteSize() for event in history.events) < 100_000


async def test_a_run_that_failed_is_taken_up_where_it_was(bench) -> None:
    made = bench(adding(recursion_limit=3), ScriptedModel(script=SCRIPT), others=[adding(name="patient")])

    async with made.worker():
        agents = agents_of(made)
        run = await agents.start("adding", "Add.")
        with pytest.raises(RunFailed, match="Recursion limit of 3"):
            await run.result()
        fork = await agents.fork(run.id, agent="patient")
        result = await fork.result()

    assert result.output == "Six in all."
    assert await replayed(made, fork) == ["add", "call_model"]


# Temporal's own reset


@pytest.mark.parametrize("effect", ["idempotent", "at_most_once"])
async def test_a_run_that_was_reset_answers_and_keeps_its_keys(bench, effect) -> None:
    """`temporal workflow reset` to the workflow task before the payment: the tool is told the same key again."""
    till = Till()
    script = [call("pay", "one", amount=5), AIMessage("Paid.")]
    made = bench(adding(till.pay(effect=effect)), ScriptedModel(script=script))

    async with made.worker():
        run = await finished(made, agents_of(made), "Pay.")
        before = await made.replayed(made.client.get_workflow_handle(run.id))
        await reset(made, before)
        result = await run.result()
        history = await run.history()

    assert result.output == "Paid."
    assert till.amounts == [5, 5]
    assert len({key for _, key in till.paid}) == 1
    assert [each.nodes for each in history.supersteps] == [["model"], ["tools"], ["model"], ["__start__"]]
    assert await replayed(made, run) == ["call_model", "pay", "call_model"]


async def test_a_reset_replays_what_ran_side_by_side_in_its_order(bench) -> None:
    """Sets of tasks are iterated in the order of hashes, which must not depend on the execution's id."""
    till = Till()

    def build(resources: Resources) -> Any:
        adds, pays = resources.tools

        async def work(state: Totals) -> dict[str, Any]:
            [number] = state["numbers"]
            for _ in range(3):
                number = int(await adds.ainvoke({"a": number, "b": 1}))
            return {"path": [str(number)]}

        async def finish(state: Totals) -> dict[str, Any]:
            return {"path": [await pays.ainvoke({"amount": len(state["path"])})]}

        graph = StateGraph(Totals).add_node("work", work).add_node("finish", finish)
        graph.add_conditional_edges(
            START, lambda _state: [Send("work", {"numbers": [n], "path": []}) for n in range(30)], ["work"]
        )
        return graph.add_edge("work", "finish")

    made = bench(Agent("wide", build, tools=[reading, till.pay()]), ScriptedModel(script=[]))

    async with made.worker():
        run = await finished(made, agents_of(made), EMPTY)
        before = await made.replayed(made.client.get_workflow_handle(run.id))
        await reset(made, before)
        result = await run.result()

    assert result.output["path"] == [*(str(n + 3) for n in range(30)), "paid 30"]
    assert len({key for _, key in till.paid}) == 1
    await replayed(made, run)


async def reset(made: Bench, history: WorkflowHistory) -> None:
    """To the task of the workflow that started `pay`."""
    scheduled_by = next(
        event.activity_task_scheduled_event_attributes.workflow_task_completed_event_id
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "pay"
    )
    await made.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=history.workflow_id),
            reason="test",
            workflow_task_finish_event_id=scheduled_by,
            request_id=uuid.uuid4().hex,
        )
    )
