"""What a run does beside answering: refuse, retry, ask, remember, fail."""

from __future__ import annotations

import importlib
import operator
import sys
import uuid
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.cache.memory import InMemoryCache
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import CachePolicy, Send
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from agents import Agent, Resources, StepOptions, durable
from agents.testing import ScriptedModel, call, run_live
from temporal.replay import InputsDiffer
from tests.integration.cases import add, agent_with, asking, confirm, multiply, two_calls
from tests.integration.conftest import PATIENCE, steps
from workflows.contracts import AGENT_WORKFLOW, QUESTIONS

GREETING = ScriptedModel(script=[AIMessage("Hello.")])


async def failure_of(bench: Any, given: Any, *, replay: bool = True) -> ApplicationError:
    async with bench.worker():
        handle = await bench.start(given)
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    if replay:
        await bench.replayed(handle)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    return cause


@pytest.mark.parametrize(
    ("request_", "type_", "words"),
    [
        ({"agent": "wroker", "input": "x"}, "UnknownAgent", "Unknown agent 'wroker'. Known: 'worker'."),
        ({"agent": "worker"}, "InvalidInput", "input: Field required"),
        ({"agent": "worker", "inptu": "x", "input": "x"}, "InvalidInput", "inptu: Extra inputs are not permitted"),
        ("worker", "InvalidInput", "Expected, for example:"),
        (None, "InvalidInput", "Expected, for example:"),
        ({"agent": "worker", "input": "  "}, "InvalidInput", "The input for agent 'worker' is empty."),
    ],
)
async def test_an_input_that_is_off_fails_the_run_and_says_what_is_expected(bench, request_, type_, words) -> None:
    made = bench(agent_with(add), GREETING)

    async with made.worker():
        with pytest.raises(WorkflowFailureError) as caught:
            await made.client.execute_workflow(
                AGENT_WORKFLOW,
                request_,
                id=f"bad-{uuid.uuid4()}",
                task_queue=made.settings.task_queue,
                execution_timeout=PATIENCE,
            )

    assert caught.value.cause.type == type_
    assert words in caught.value.cause.message


async def test_too_many_arguments_fail_the_run(bench) -> None:
    made = bench(agent_with(add), GREETING)

    async with made.worker():
        with pytest.raises(WorkflowFailureError) as caught:
            await made.client.execute_workflow(
                AGENT_WORKFLOW,
                args=[{"agent": "worker", "input": "x"}, "more"],
                id=f"bad-{uuid.uuid4()}",
                task_queue=made.settings.task_queue,
                execution_timeout=PATIENCE,
            )

    assert "takes one argument, a JSON object, and was given 2" in caught.value.cause.message


async def test_when_one_of_two_parallel_tools_fails_once_nothing_else_runs_again(bench) -> None:
    started: list[str] = []

    @tool
    def flaky(a: int, b: int) -> int:
        """Fail once."""
        started.append("flaky")
        if started.count("flaky") == 1:
            raise ConnectionResetError("gone for a moment")
        return a + b

    @tool
    def steady(a: int, b: int) -> int:
        """Work."""
        started.append("steady")
        return a * b

    flaky.name, steady.name = "add", "multiply"
    made = bench(
        agent_with(durable(effect="read")(flaky), steady), ScriptedModel(script=[two_calls(), AIMessage("3 and 12")])
    )

    result, history = await made.run("both")

    assert result["output"] == "3 and 12"
    assert result["usage"] == {
        "model_calls": 2,
        "tool_calls": 2,
        "retrievals": 0,
        "input_tokens": 0,
        "output_tokens": 0,
    }
    assert sorted(started) == ["flaky", "flaky", "steady"]
    assert steps(history) == ["call_model", "add", "multiply", "call_model"]


async def test_a_tool_that_keeps_failing_fails_the_run_with_its_own_error(bench) -> None:
    @tool
    def divide(a: int, b: int) -> float:
        """Divide."""
        return a / b

    agent = Agent(
        "worker",
        agent_with(divide).build,
        tools=[durable(effect="idempotent")(divide)],
        tool_step=StepOptions(attempts=2),
    )
    made = bench(agent, ScriptedModel(script=[call("divide", a=1, b=0)]))

    error = await failure_of(made, "divide")

    assert error.type == "GraphFailed"
    assert error.message.startswith("ZeroDivisionError: division by zero")


async def test_an_error_of_a_class_that_the_workflow_does_not_know_keeps_its_name_and_message(bench) -> None:
    class StockGone(Exception):
        pass

    @tool
    def order() -> str:
        """Order."""
        raise StockGone("nothing left of A-17")

    error = await failure_of(bench(agent_with(order), ScriptedModel(script=[call("order")])), "order")

    assert error.type == "StepFailed"
    assert error.message.startswith("StockGone: nothing left of A-17 (step order)")


async def test_a_failure_says_what_an_error_of_a_service_means_that_a_tool_let_through(bench) -> None:
    @tool
    def order() -> str:
        """Order."""
        raise ConnectionRefusedError(111, "Connection refused")

    error = await failure_of(bench(agent_with(order), ScriptedModel(script=[call("order")])), "order")

    assert error.type == "ServiceUnavailable"
    assert error.message.startswith(
        "No answer from the other side (ConnectionRefusedError): [Errno 111] Connection refused"
    )


@pytest.mark.parametrize("raised", [ValueError("no"), KeyError("x"), RecursionError("deep"), NotImplementedError()])
async def test_an_exception_of_a_node_fails_the_run_and_names_itself_and_the_node(bench, raised) -> None:
    def fail(_state: MessagesState) -> dict[str, Any]:
        raise raised

    def build(_resources: Resources) -> Any:
        return StateGraph(MessagesState).add_node("fail", fail).add_edge(START, "fail")

    error = await failure_of(bench(Agent("failing", build), GREETING), "x")

    assert error.type == "GraphFailed"
    assert error.message.startswith(type(raised).__name__)
    assert "'fail'" in error.message


async def test_an_endless_loop_ends_at_the_recursion_limit(bench) -> None:
    def build(_resources: Resources) -> Any:
        graph = StateGraph(MessagesState).add_node("turn", lambda _state: {}).add_edge(START, "turn")
        return graph.add_edge("turn", "turn")

    error = await failure_of(bench(Agent("endless", build, recursion_limit=7), GREETING), "x")

    assert error.message.startswith("GraphRecursionError: Recursion limit of 7 reached")


async def test_a_node_that_opens_a_file_fails_the_run_and_is_named(bench, tmp_path) -> None:
    file = tmp_path / "data.txt"
    file.write_text("secret")

    def build(_resources: Resources) -> Any:
        graph = StateGraph(MessagesState)
        graph.add_node("peek", lambda _state: {"messages": [("ai", open(file).read())]})  # noqa: PTH123, SIM115
        return graph.add_edge(START, "peek")

    error = await failure_of(bench(Agent("peeking", build), GREETING), "x")

    assert error.type == "BlockingCall"
    assert error.message.startswith(f"Node 'peek' did open('{file}') inside a workflow ({__file__}:")
    assert "Move it to a tool" in error.message


async def test_a_tool_that_returns_too_much_fails_the_run_after_one_attempt(bench) -> None:
    calls: list[str] = []

    @tool
    def flood() -> str:
        """Return three megabytes."""
        calls.append("flood")
        return "x" * 3_000_000

    error = await failure_of(bench(agent_with(flood), ScriptedModel(script=[call("flood")])), "x")

    assert error.type == "ValueTooLarge"
    assert error.message.startswith("The result of flood has 3,000,0")
    assert calls == ["flood"]


async def test_a_request_that_is_too_large_fails_the_run(bench) -> None:
    def build(resources: Resources) -> Any:
        async def ask(_state: MessagesState) -> dict[str, Any]:
            return {"messages": [await resources.model().ainvoke("x" * 3_000_000)]}

        return StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")

    error = await failure_of(bench(Agent("shouting", build), GREETING), "x")

    assert error.type == "ValueTooLarge"
    assert error.message.startswith("The request of call_model has 3,000,")


async def test_a_result_that_is_too_large_fails_the_run(bench) -> None:
    def build(_resources: Resources) -> Any:
        graph = StateGraph(MessagesState).add_node("shout", lambda _state: {"messages": [("ai", "x" * 3_000_000)]})
        return graph.add_edge(START, "shout")

    error = await failure_of(bench(Agent("shouting", build), GREETING), "x")

    assert error.type == "ValueTooLarge"
    assert error.message.startswith("The result of the run has 3,000,")


async def test_a_module_that_is_first_imported_in_a_workflow_may_write_its_bytecode(
    bench, tmp_path, monkeypatch
) -> None:
    (tmp_path / "fresh_module.py").write_text(
        "from pathlib import Path\nWORD = Path(__file__).with_name('w').read_text()"
    )
    (tmp_path / "w").write_text("imported")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    def build(_resources: Resources) -> Any:
        graph = StateGraph(MessagesState)
        graph.add_node("load", lambda _state: {"messages": [("ai", importlib.import_module("fresh_module").WORD)]})
        return graph.add_edge(START, "load")

    result, _ = await bench(Agent("importing", build), GREETING).run("x")

    assert result["output"] == "imported"
    assert list((tmp_path / "__pycache__").glob("fresh_module.*.pyc"))


async def test_questions_wait_for_their_answers_and_the_run_goes_on(bench) -> None:
    made = bench(Agent("asking", asking), GREETING)

    async with made.worker():
        handle = await made.start({"numbers": [], "path": []})
        answered = []
        for reply in ("Ada", "London"):
            [question] = await questions_of(handle)
            answered.append(question["value"])
            await handle.execute_update("answer", args=[question["id"], reply])
        result = await handle.result()

    assert answered == ["Your name?", {"question": "Your town?", "name": "Ada"}]
    assert result["output"]["path"] == ["Ada of London"]
    await made.replayed(handle)


async def test_a_tool_that_asks_a_person_runs_again_with_the_answer(bench) -> None:
    script = [call("confirm", action="refund"), AIMessage("done")]
    made = bench(agent_with(confirm), ScriptedModel(script=script))

    async with made.worker():
        handle = await made.start("refund it")
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], "yes"])
        await handle.result()

    history = await made.replayed(handle)
    assert question["value"] == {"confirm": "refund"}
    assert steps(history) == ["call_model", "confirm", "confirm", "call_model"]


async def test_an_answer_to_no_question_is_refused(bench) -> None:
    made = bench(Agent("asking", asking), GREETING)

    async with made.worker():
        handle = await made.start({"numbers": [], "path": []})
        await questions_of(handle)
        with pytest.raises(Exception, match="Workflow update failed") as caught:
            await handle.execute_update("answer", args=["another", "x"])
        await handle.terminate()

    assert "No question 'another' waits for an answer. Waiting: '" in str(caught.value.__cause__)


async def test_a_new_worker_asks_the_workflow_for_the_conversation(bench) -> None:
    seen: list[list[str]] = []

    class Listening(ScriptedModel):
        def _answer(self, messages):
            seen.append([message.type for message in messages])
            return super()._answer(messages)

    script = [call("confirm", action="refund"), AIMessage("done")]
    made = bench(agent_with(confirm), Listening(script=script))

    async with made.worker():
        handle = await made.start("refund it")
        [question] = await questions_of(handle)
    async with made.worker():
        await handle.execute_update("answer", args=[question["id"], "yes"])
        result = await handle.result()

    assert result["output"] == "done"
    assert seen == [["human"], ["human", "ai", "tool"]]
    await made.replayed(handle)


async def test_a_request_carries_what_is_new_and_not_the_conversation(bench) -> None:
    script = [*(call("add", f"call-{turn}", a=turn, b=1) for turn in range(12)), AIMessage("done")]
    made = bench(agent_with(add), ScriptedModel(script=script), cached=100)

    _, history = await made.run("x" * 2_000)

    sizes = [
        len(event.activity_task_scheduled_event_attributes.input.payloads[0].data)
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "call_model"
    ]
    assert sizes[0] > 2_000
    assert max(sizes[2:]) - min(sizes[2:]) < 20
    assert max(sizes[1:]) < 700


async def test_strict_replay_finds_an_id_that_no_shim_covers(bench) -> None:
    def build(resources: Resources) -> Any:
        async def ask(state: MessagesState) -> dict[str, Any]:
            marked = [*state["messages"], ("user", str(uuid.uuid4()))]
            return {"messages": [await resources.model().ainvoke(marked)]}

        return StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")

    made = bench(Agent("random", build), GREETING, cached=100)
    async with made.worker():
        handle = await made.start("x")
        await handle.result()

    with pytest.raises(InputsDiffer, match="Activity 1 of 'random-"):
        await made.replayed(handle)


async def test_cancelling_a_run_cancels_it(bench) -> None:
    made = bench(Agent("asking", asking), GREETING)

    async with made.worker():
        handle = await made.start({"numbers": [], "path": []})
        await questions_of(handle)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()

    assert type(caught.value.cause).__name__ == "CancelledError"


def test_multiply_is_async_and_add_is_not() -> None:
    """The cases cover both kinds of tool body only as long as this holds."""
    assert multiply.coroutine is not None
    assert add.coroutine is None


async def questions_of(handle: Any) -> list[dict[str, Any]]:
    """Waits until the run asks something; the run's own time-out bounds it.

    Its search attribute must have one: a query may tell others, under other ids, before the task that asks is recorded.
    """
    while True:
        description = await handle.describe()
        recorded = description.typed_search_attributes.get(QUESTIONS) or []
        questions = await handle.query("questions")
        if any(each["id"] in recorded for each in questions):
            return questions
        assert description.status is not None
        assert description.status.name == "RUNNING"


@pytest.mark.parametrize("cached", [True, False], ids=["with a cache", "without"])
async def test_a_node_with_a_cache_policy_is_asked_once_where_the_graph_has_a_cache(bench, cached) -> None:
    asked: list[str] = []

    @tool
    async def price(item: str) -> int:
        """Look up a price."""
        asked.append(item)
        return len(item)

    class Basket(TypedDict):
        items: list[str]
        prices: Annotated[list[int], operator.add]

    def each_item(state: dict[str, Any]) -> list[Send]:
        return [Send("look_up", item) for item in state["items"]]

    def build(resources: Resources) -> Any:
        async def look_up(item: str) -> dict[str, Any]:
            return {"prices": [await resources.tools[0].ainvoke({"item": item})]}

        graph = StateGraph(Basket)
        graph.add_node("look_up", look_up, cache_policy=CachePolicy())
        graph.add_node("total", lambda _state: {})
        graph.add_conditional_edges(START, each_item, ["look_up"])
        graph.add_edge("look_up", "total")
        graph.add_conditional_edges("total", lambda state: each_item(state) if len(state["prices"]) == 2 else "__end__")
        return graph.compile(cache=InMemoryCache() if cached else None)

    given = {"items": ["pear", "fig"], "prices": []}
    agent = Agent("basket", build, tools=[price])
    plain = await run_live(agent, given, model=GREETING)
    in_plain = sorted(asked)
    asked.clear()

    result, _ = await bench(agent, GREETING).run(given)

    assert result["output"] == plain
    assert sorted(asked) == in_plain
    assert len(asked) == (2 if cached else 4)
