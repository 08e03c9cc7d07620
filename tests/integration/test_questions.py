"""What a run asks people: how they find it, what they are told, and which answers it takes."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, field_validator
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from typing_extensions import TypedDict

from agents import Agent, Resources
from agents.testing import ScriptedModel, call
from tests.integration.cases import add, agent_with, confirm
from tests.integration.conftest import Bench
from tests.integration.test_agent_workflow import questions_of
from workflows.contracts import QUESTIONS

UPSERTED = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES


class Told(TypedDict):
    told: Annotated[list[Any], operator.add]


def telling(*questions: Any, **options: Any) -> Agent:
    """A node for each question, side by side; each tells what it was answered."""

    def build(_resources: Resources) -> Any:
        graph = StateGraph(Told)
        for number, question in enumerate(questions):
            graph.add_node(f"node-{number}", lambda _, asked=question: {"told": [interrupt(asked, **options)]})
            graph.add_edge(START, f"node-{number}")
        return graph

    return Agent("telling", build)


async def refused(handle: WorkflowHandle[Any, Any], *arguments: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("answer", args=arguments)
    return str(caught.value.__cause__)


async def listed(made: Bench, query: str = f"{QUESTIONS.name} IS NOT NULL") -> set[str]:
    found = made.client.list_workflows(f"TaskQueue = '{made.settings.task_queue}' AND {query}")
    return {workflow.id async for workflow in found}


async def until_listed(made: Bench, *expected: str, query: str = f"{QUESTIONS.name} IS NOT NULL") -> None:
    """The server's lists follow what happens after a moment; the test's own time-out bounds it."""
    while await listed(made, query) != set(expected):
        await asyncio.sleep(0.05)


SILENT = ScriptedModel(script=[AIMessage("unused")])


# Found


async def test_a_list_of_runs_finds_exactly_those_that_wait(bench, cached_workflows) -> None:
    made = bench(telling("Your name?"), SILENT, cached=cached_workflows)

    async with made.worker():
        first, second = [await made.start({"told": []}) for _ in range(2)]
        [question] = await questions_of(first)
        await questions_of(second)
        await until_listed(made, first.id, second.id)
        await first.execute_update("answer", args=[question["id"], "Ada"])
        await first.result()
        await until_listed(made, second.id)
        await second.cancel()
        with pytest.raises(WorkflowFailureError):
            await second.result()
        await until_listed(made)

    assert (await first.result())["output"] == {"told": ["Ada"]}
    await made.replayed(first)
    await made.replayed(second)


async def test_a_question_costs_one_event_and_its_answer_another(bench) -> None:
    made = bench(telling("Your name?"), SILENT)

    async with made.worker():
        handle = await made.start({"told": []})
        [question] = await questions_of(handle)
        asked = await handle.fetch_history()
        await handle.execute_update("answer", args=[question["id"], "Ada"])
        await handle.result()

    history = await made.replayed(handle)
    assert [event.event_type for event in asked.events].count(UPSERTED) == 1
    assert [event.event_type for event in history.events].count(UPSERTED) == 2
    assert not any(event.HasField("timer_started_event_attributes") for event in history.events)


async def test_hundreds_may_wait_and_are_all_answered(bench) -> None:
    """The server takes 2 KB of an attribute: it has the first ones, and the query has all."""
    made = bench(telling(*range(200)), SILENT, cached=100)

    async with made.worker():
        handle = await made.start({"told": []})
        waiting = await questions_of(handle)
        shown = (await handle.describe()).typed_search_attributes.get(QUESTIONS) or []
        for question in waiting:
            await handle.execute_update("answer", args=[question["id"], question["value"]])
        result = await handle.result()

    assert len(waiting) == 200
    assert 20 < len(shown) < 200
    assert sorted(result["output"]["told"]) == list(range(200))


# Told


async def test_a_question_says_who_asks_and_since_when(bench) -> None:
    made = bench(telling({"confirm": "Sure?"}, response_schema={"type": "boolean"}), SILENT)

    async with made.worker():
        handle = await made.start({"told": []})
        [question] = await questions_of(handle)
        started = (await handle.describe()).start_time
        await handle.terminate()

    assert question["value"] == {"confirm": "Sure?"}
    assert (question["kind"], question["agent"], question["node"]) == ("interrupt", "telling", "node-0")
    assert question["tool"] is None
    assert question["answer_schema"] == {"type": "boolean"}
    assert question["asked_at"] > started.isoformat()[:19]


async def test_a_question_of_a_tool_names_the_tool(bench) -> None:
    made = bench(agent_with(confirm), ScriptedModel(script=[call("confirm", action="refund"), AIMessage("done")]))

    async with made.worker():
        handle = await made.start("refund it")
        [question] = await questions_of(handle)
        await handle.terminate()

    assert (question["kind"], question["tool"], question["node"]) == ("interrupt", "confirm", "tools")


# Fitting answers


class Verdict(BaseModel):
    kind: Literal["yes", "no"]
    score: int = 0

    @field_validator("score")
    @classmethod
    def _no_thirteen(cls, score: int) -> int:
        if score == 13:
            raise ValueError("thirteen brings bad luck")
        return score


async def test_an_answer_that_does_not_fit_the_schema_is_refused_with_the_reason(bench, cached_workflows) -> None:
    def build(_resources: Resources) -> Any:
        def ask(_state: Told) -> dict[str, Any]:
            return {"told": [interrupt("Good?", response_schema=Verdict).score]}

        return StateGraph(Told).add_node("ask", ask).add_edge(START, "ask")

    made = bench(Agent("asking", build), SILENT, cached=cached_workflows)

    async with made.worker():
        handle = await made.start({"told": []})
        [question] = await questions_of(handle)
        reason = await refused(handle, question["id"], {"kind": "maybe"})
        await handle.execute_update("answer", args=[question["id"], {"kind": "yes", "score": 7}])
        result = await handle.result()

    assert reason.endswith("""does not fit: kind: "maybe" where one of "yes", "no" is expected.""")
    assert result["output"] == {"told": [7]}
    await made.replayed(handle)


async def test_a_question_is_asked_again_where_the_type_alone_knows_that_the_answer_is_off(bench) -> None:
    """A validator in Python has no place in a schema: LangGraph finds the fault when the run goes on."""

    def build(_resources: Resources) -> Any:
        def ask(_state: Told) -> dict[str, Any]:
            return {"told": [interrupt("Good?", response_schema=Verdict).score]}

        graph = StateGraph(Told).add_node("ask", ask).add_edge(START, "ask")
        return graph.add_node("other", lambda _: {"told": [interrupt("Other?")]}).add_edge(START, "other")

    made = bench(Agent("asking", build), SILENT)

    async with made.worker():
        handle = await made.start({"told": []})
        asked = {each["value"]: each["id"] for each in await questions_of(handle)}
        await handle.execute_update("answer", args=[asked["Other?"], "fine"])
        await handle.execute_update("answer", args=[asked["Good?"], {"kind": "yes", "score": 13}])
        while not (again := [each for each in await questions_of(handle) if each["value"] == "Good?"]):
            await asyncio.sleep(0.05)
        for each in await handle.query("questions"):
            value = {"kind": "no", "score": 1} if each["value"] == "Good?" else "fine"
            await handle.execute_update("answer", args=[each["id"], value])
        result = await handle.result()

    assert again[0]["id"] == asked["Good?"]
    assert sorted(map(str, result["output"]["told"])) == ["1", "fine"]
    await made.replayed(handle)


async def test_a_tool_in_its_activity_may_say_what_the_answer_must_be(bench) -> None:
    @tool
    def rate(what: str) -> str:
        """Ask for a verdict."""
        return f"{what}: {interrupt('Good?', response_schema=Verdict).kind}"

    made = bench(agent_with(rate), ScriptedModel(script=[call("rate", what="tea"), AIMessage("done")]))

    async with made.worker():
        handle = await made.start("rate it")
        [question] = await questions_of(handle)
        reason = await refused(handle, question["id"], "yes")
        await handle.execute_update("answer", args=[question["id"], {"kind": "no"}])
        await handle.result()
        state = await handle.query("state")

    assert reason.endswith("""does not fit: it: "yes" where object is expected.""")
    assert state["values"]["messages"][-2]["content"] == "tea: no"
    await made.replayed(handle)


async def test_a_node_in_its_activity_may_say_what_the_answer_must_be(bench) -> None:
    def build(_resources: Resources) -> Any:
        def ask(_state: Told) -> dict[str, Any]:
            return {"told": [interrupt("Good?", response_schema=Verdict).kind]}

        graph = StateGraph(Told)
        return graph.add_node("ask", ask, metadata={"execute_in": "activity"}).add_edge(START, "ask")

    made = bench(Agent("asking", build), SILENT)

    async with made.worker():
        handle = await made.start({"told": []})
        [question] = await questions_of(handle)
        reason = await refused(handle, question["id"], {"kind": 1})
        await handle.execute_update("answer", args=[question["id"], {"kind": "no"}])
        result = await handle.result()

    assert reason.endswith("does not fit: kind: 1 where string is expected.")
    assert question["node"] == "ask"
    assert result["output"] == {"told": ["no"]}
    await made.replayed(handle)


async def test_a_decision_that_langchains_middleware_does_not_allow_is_refused(bench) -> None:
    def build(resources: Resources) -> Any:
        review = HumanInTheLoopMiddleware({"add": {"allowed_decisions": ["approve", "reject"]}})
        return create_agent(resources.model(), resources.tools, middleware=[review])

    script = [call("add", a=1, b=2), AIMessage("done")]
    made = bench(Agent("reviewed", build, tools=[add]), ScriptedModel(script=script))

    async with made.worker():
        handle = await made.start("add")
        [question] = await questions_of(handle)
        reasons = [
            await refused(handle, question["id"], answer)
            for answer in ("yes", {"decisions": []}, {"decisions": [{"type": "edit"}]})
        ]
        await handle.execute_update("answer", args=[question["id"], {"decisions": [{"type": "approve"}]}])
        await handle.result()

    assert reasons[0].endswith("""it: "yes" where object is expected.""")
    assert reasons[1].endswith("decisions: 0 items where 1 are needed.")
    assert reasons[2].endswith("""decisions[0].type: "edit" where one of "approve", "reject" is expected.""")
    await made.replayed(handle)


# Who answers


async def test_of_two_answers_the_first_wins_and_the_second_is_told_so(bench, cached_workflows) -> None:
    made = bench(telling("Name?", "Town?"), SILENT, cached=cached_workflows)

    async with made.worker():
        handle = await made.start({"told": []})
        asked = {each["value"]: each["id"] for each in await questions_of(handle)}
        answers = [handle.execute_update("answer", args=[asked["Name?"], by, by]) for by in ("anna", "bob")]
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        await handle.execute_update("answer", args=[asked["Town?"], "Rome"])
        result = await handle.result()
        decisions = await handle.query("decisions")

    winner = "anna" if outcomes[0] is None else "bob"
    [lost] = [outcome for outcome in outcomes if outcome is not None]
    assert f"was answered by '{winner}' at {decisions[0]['at'][:10]} " in str(lost.__cause__)
    assert result["output"] == {"told": [winner, "Rome"]}
    assert [(each["answer"], each["by"], each["how"]) for each in decisions] == [
        (winner, [winner], "person"),
        ("Rome", [], "person"),
    ]
    await made.replayed(handle)


@pytest.mark.parametrize(
    "shape",
    [
        lambda id_: [id_, "Ada", "anna"],
        lambda id_: [id_, "Ada", ["anna", "finance"]],
        lambda id_: [{"id": id_, "value": "Ada", "by": "anna"}],
        lambda id_: [[id_, "Ada", "anna"]],
    ],
    ids=["arguments", "with groups", "one object", "one list"],
)
async def test_any_client_answers_by_plain_json(bench, shape) -> None:
    made = bench(telling("Name?"), SILENT)

    async with made.worker():
        handle = await made.start({"told": []})
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=shape(question["id"]))
        result = await handle.result()
        [decision] = await handle.query("decisions")

    assert result["output"] == {"told": ["Ada"]}
    assert decision["by"][0] == "anna"
    await made.replayed(handle)


@pytest.mark.parametrize("arguments", [["id"], [{"id": "x"}], [["x"]], [3, 4], ["id", "x", 7], [{"id": 1, "value": 2}]])
async def test_an_answer_of_another_form_is_told_what_is_expected(bench, arguments) -> None:
    made = bench(telling("Name?"), SILENT)

    async with made.worker():
        handle = await made.start({"told": []})
        await questions_of(handle)
        reason = await refused(handle, *arguments)
        await handle.terminate()

    assert "An answer needs the id of its question and a value" in reason or "a name is expected" in reason


async def test_null_is_an_answer(bench) -> None:
    made = bench(telling("Name?"), SILENT)

    async with made.worker():
        handle = await made.start({"told": []})
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], None])
        result = await handle.result()

    assert result["output"] == {"told": [None]}


async def test_an_id_holds_when_the_worker_is_replaced(bench) -> None:
    made = bench(telling("Name?", "Town?"), SILENT)

    async with made.worker():
        handle = await made.start({"told": []})
        asked = {each["value"]: each["id"] for each in await questions_of(handle)}
        await handle.execute_update("answer", args=[asked["Name?"], "Ada", "anna"])
    async with made.worker():
        reason = await refused(handle, asked["Name?"], "Bob", "bob")
        await handle.execute_update("answer", args=[asked["Town?"], "Rome"])
        result = await handle.result()

    assert "was answered by 'anna'" in reason
    assert result["output"] == {"told": ["Ada", "Rome"]}
    await made.replayed(handle)
