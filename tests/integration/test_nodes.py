"""Nodes and functional tasks that run as activities give the answer of plain LangGraph."""

from __future__ import annotations

import asyncio
import functools
import operator
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langchain_core.messages.tool import tool_call
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from langgraph.config import get_config, get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages, push_message
from langgraph.graph.state import CompiledStateGraph
from langgraph.graph.ui import AnyUIMessage, push_ui_message, ui_message_reducer
from langgraph.prebuilt import InjectedState, ToolNode
from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite, RetryPolicy, Send, interrupt
from pydantic import BaseModel
from temporalio.api.enums.v1 import EventType

from agents import Agent, Resources, StepOptions, durable, idempotency_key
from agents.exchange import output_of
from agents.testing import ScriptedModel, call, run_live
from tests.integration.cases import Totals, add, multiply, two_calls
from tests.integration.conftest import steps
from tests.integration.test_agent_workflow import failure_of, questions_of

ACTIVITY = {"execute_in": "activity", "start_to_close_timeout": timedelta(seconds=30)}
SILENT = ScriptedModel(script=[])


class Line(BaseModel):
    article: str
    price: Decimal
    note: str | None = None


class Order(TypedDict, total=False):
    lines: Annotated[list[Line], operator.add]
    total: Decimal
    due: datetime
    size: tuple[int, int]


class Basket(BaseModel):
    lines: Annotated[list[Line], operator.add] = []
    owner: str | None = None


@dataclass
class Journey:
    towns: Annotated[list[str], operator.add]
    left: int = 3


def chain(schema: Any, *nodes: Any, **options: Any) -> Any:
    """A graph of nodes one after another, all of them activities."""
    graph = StateGraph(schema)
    names = ["first", "second", "third"][: len(nodes)]
    for name, node in zip(names, nodes, strict=True):
        graph.add_node(name, node, metadata=ACTIVITY, **options)
    for before, after in zip([START, *names], names, strict=False):
        graph.add_edge(before, after)
    return graph


def agent_of(make: Any, name: str = "shop", **options: Any) -> Agent:
    return Agent(name, lambda _resources: make(), **options)


def typed_dict() -> Any:
    def order(_state: Order) -> Any:
        return {"lines": [Line(article="nail", price=Decimal("1.25")), Line(article="tax", price=Decimal("0.1"))]}

    def price(state: Order) -> Any:
        return {"total": sum(line.price for line in state["lines"]), "due": datetime(2030, 1, 2, tzinfo=UTC)}

    async def measure(state: Order) -> Any:
        return {"size": (len(state["lines"]), state["due"].year)}

    return chain(Order, order, price, measure)


def pydantic_model() -> Any:
    def own(state: Basket) -> Any:
        return Basket(owner=f"{type(state).__name__} of {len(state.lines)}")

    def fill(state: Basket) -> Any:
        return Basket(lines=[Line(article=state.owner or "none", price=Decimal(2))])

    return chain(Basket, own, fill)


def data_class() -> Any:
    def go(state: Journey) -> Any:
        return Journey(towns=[f"{type(state).__name__} {len(state.towns)}"], left=state.left - 1)

    return chain(Journey, go, lambda state: {"towns": [str(state.left)]})


def messages() -> Any:
    def answer(state: MessagesState) -> Any:
        assert all(isinstance(message, HumanMessage) for message in state["messages"])
        return {"messages": [AIMessage(f"{len(state['messages'])} so far", id="answer")]}

    def forget(state: MessagesState) -> Any:
        return {"messages": [RemoveMessage(id=state["messages"][0].id), ("ai", "forgotten")]}

    def count(state: MessagesState) -> Any:
        return {"messages": [("ai", " | ".join(message.text for message in state["messages"]))]}

    return chain(MessagesState, answer, forget, count)


class Callable:
    def __init__(self, word: str) -> None:
        self.word = word

    def __call__(self, _state: Totals) -> Any:
        return {"path": [self.word]}


class AsyncCallable:
    async def __call__(self, _state: Totals) -> Any:
        return {"path": ["async object"]}


def callables() -> Any:
    def partly(word: str, state: Totals) -> Any:
        return {"path": [f"{word} {len(state['path'])}"]}

    return chain(Totals, Callable("object"), AsyncCallable(), functools.partial(partly, "partial"))


def runnables() -> Any:
    sequence = RunnableLambda(lambda state: len(state["path"])) | RunnableLambda(lambda length: {"path": [str(length)]})
    return chain(Totals, lambda _state: {"path": ["lambda"]}, sequence, lambda _state: {"path": Overwrite(["anew"])})


def surroundings() -> Any:
    async def look(_state: Totals, config: RunnableConfig, runtime: Runtime) -> Any:
        assert get_config()["metadata"]["langgraph_node"] == "first"
        info = runtime.execution_info
        seen = [config["metadata"]["langgraph_node"], str(config["metadata"]["start_to_close_timeout"])]
        return {"path": [*seen, str(info.node_attempt), info.checkpoint_ns.partition(":")[0]]}

    return chain(Totals, look)


def commands() -> Any:
    """A jump, an update, and a command with sends, from activities to an activity and to a node of the workflow."""
    graph = StateGraph(Totals)

    def start(_state: Totals) -> Any:
        return Command(goto=[Send("square", Line(article="a", price=Decimal(3))), "plain"], update={"path": ["start"]})

    def square(line: Line) -> Any:
        return {"numbers": [int(line.price**2)]}

    graph.add_node("start", start, metadata=ACTIVITY, destinations=("square", "plain"))
    graph.add_node("square", square, metadata=ACTIVITY)
    graph.add_node("plain", lambda _state: Command(goto="end"), metadata=ACTIVITY, destinations=("end",))
    graph.add_node("end", lambda state: {"path": [f"end {state['numbers']}"]})
    graph.add_edge(START, "start")
    return graph


def parent_command() -> Any:
    """A node of a subgraph, named `inner.leave`, jumps in the graph around it."""
    inner = StateGraph(Totals)
    inner.add_node("stay", lambda _state: {"path": ["stay"]}, metadata=ACTIVITY)
    inner.add_node(
        "leave",
        lambda _state: Command(graph=Command.PARENT, goto="after", update={"path": ["left"]}),
        metadata=ACTIVITY,
    )
    inner.add_edge(START, "stay")
    inner.add_edge("stay", "leave")
    graph = StateGraph(Totals)
    graph.add_node("inner", inner.compile(), destinations=("after",))
    graph.add_node("after", lambda state: {"path": [f"after {len(state['path'])}"]}, metadata=ACTIVITY)
    graph.add_edge(START, "inner")
    return graph


def whole_subgraph() -> Any:
    """A subgraph that is one activity, and a node that calls a graph and passes its command to the graph around."""
    inner = StateGraph(Totals).add_node("one", lambda _state: {"path": ["inner one"]}).add_edge(START, "one")
    jumping = StateGraph(Totals)
    jumping.add_node("jump", lambda _state: Command(graph=Command.PARENT, goto="after", update={"path": ["jumped"]}))
    jumping.add_edge(START, "jump")
    called = jumping.compile()

    async def calling(state: Totals) -> Any:
        return await called.ainvoke(state)

    graph = StateGraph(Totals)
    graph.add_node("inner", inner.compile(), metadata=ACTIVITY)
    graph.add_node("calling", calling, metadata=ACTIVITY, destinations=("after",))
    graph.add_node("after", lambda _state: {"path": ["after"]})
    graph.add_edge(START, "inner")
    graph.add_edge("inner", "calling")
    return graph


def fan_out() -> Any:
    graph = StateGraph(Totals)
    graph.add_node("square", lambda number: {"numbers": [number * number]}, metadata=ACTIVITY)
    graph.add_node("sum", lambda state: {"path": [str(sum(state["numbers"]))]})
    graph.add_conditional_edges(START, lambda _state: [Send("square", number) for number in range(20)], ["square"])
    graph.add_edge("square", "sum")
    return graph.compile()


class Shown(TypedDict):
    said: Annotated[list[AnyMessage], add_messages]
    ui: Annotated[list[AnyUIMessage], ui_message_reducer]


def pushing() -> Any:
    """What nodes write to the state before they end."""

    def show(_state: Shown) -> Any:
        said = push_message(AIMessage("Look.", id="said"), state_key="said")
        push_ui_message("card", {"town": "Rome"}, id="card", message=said)
        return {"said": [AIMessage("Done.", id="done")]}

    def change(_state: Shown) -> Any:
        push_ui_message("card", {"sunny": True}, id="card", merge=True)

    return chain(Shown, show, change)


TOTALS = {"numbers": [], "path": ["given"]}
CASES = {
    "typed dict": (typed_dict, {"lines": []}, ["first", "second", "third"]),
    "pydantic": (pydantic_model, {"lines": [{"article": "nail", "price": "1"}], "owner": "x"}, ["first", "second"]),
    "dataclass": (data_class, {"towns": ["Ulm"]}, ["first", "second"]),
    "messages": (messages, {"messages": [("user", "one"), ("user", "two")]}, ["first", "second", "third"]),
    "callables": (callables, TOTALS, ["first", "second", "third"]),
    "runnables": (runnables, TOTALS, ["first", "second", "third"]),
    "surroundings": (surroundings, TOTALS, ["first"]),
    "commands": (commands, TOTALS, ["plain", "square", "start"]),
    "parent": (parent_command, TOTALS, ["after", "inner.leave", "inner.stay"]),
    "whole subgraph": (whole_subgraph, TOTALS, ["calling", "inner"]),
    "fan-out": (fan_out, TOTALS, ["square"] * 20),
    "pushing": (pushing, {"said": []}, ["first", "second"]),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_node_in_an_activity_gives_the_answer_of_plain_langgraph(case: str, bench) -> None:
    make, given, parts = CASES[case]
    agent = agent_of(make)
    expected = await run_live(agent, given, model=SILENT)

    result, history = await bench(agent, SILENT).run(given)

    assert result["output"] == output_of(expected)
    assert sorted(steps(history)) == [f"shop.{part}" for part in parts]


async def test_a_live_model_and_live_tools_serve_a_node(bench) -> None:
    """`ToolNode` is an activity as a whole; its tools are the agent's own."""

    def build(resources: Resources) -> Any:
        model = resources.model().bind_tools(resources.tools)

        async def answer(state: MessagesState) -> Any:
            return {"messages": [await model.ainvoke(state["messages"])]}

        def more(state: MessagesState) -> Any:
            return "tools" if state["messages"][-1].tool_calls else "__end__"

        graph = StateGraph(MessagesState)
        graph.add_node("answer", answer, metadata=ACTIVITY)
        graph.add_node("tools", ToolNode(resources.tools), metadata=ACTIVITY)
        graph.add_edge(START, "answer")
        graph.add_conditional_edges("answer", more, ["tools", "__end__"])
        graph.add_edge("tools", "answer")
        return graph

    agent = Agent("shop", build, tools=[add, multiply])
    model = ScriptedModel(script=[two_calls(), AIMessage("3 and 12")])
    expected = await run_live(agent, "both", model=model)

    result, history = await bench(agent, model).run("both")

    assert result["output"] == output_of(expected) == "3 and 12"
    assert steps(history) == ["shop.answer", "shop.tools", "shop.answer"]


class Shop(MessagesState):
    prices: dict[str, Decimal]


@tool
def quote(article: str, state: Annotated[Shop, InjectedState]) -> str:
    """Quote a price."""
    return f"{article}: {state['prices'][article]}, {len(state['messages'])} messages"


async def test_tools_that_are_sent_calls_alone_see_the_state(bench) -> None:
    def build(resources: Resources) -> Any:
        def want(_state: Shop) -> Any:
            calls = [tool_call(name="quote", args={"article": name}, id=name) for name in ("pen", "ink")]
            return {"messages": [AIMessage("", tool_calls=calls)], "prices": {"pen": Decimal(3), "ink": Decimal("7.5")}}

        def send(state: Shop) -> Any:
            return [Send("tools", [call]) for call in state["messages"][-1].tool_calls]

        graph = StateGraph(Shop).add_node(want).add_node("tools", ToolNode(resources.tools), metadata=ACTIVITY)
        return graph.add_edge(START, "want").add_conditional_edges("want", send, ["tools"])

    agent = Agent("shop", build, tools=[quote])
    expected = await run_live(agent, "prices?", model=SILENT)

    result, history = await bench(agent, SILENT).run("prices?")

    assert result["output"] == output_of(expected) == "ink: 7.5, 2 messages"
    assert steps(history) == ["shop.tools"] * 2


async def test_the_conversation_travels_once(bench) -> None:
    def say(state: MessagesState) -> Any:
        return {"messages": [("ai", f"{len(state['messages'])}: {'word ' * 100}")]}

    def build() -> Any:
        graph = StateGraph(MessagesState).add_node("say", say, metadata=ACTIVITY).add_edge(START, "say")
        return graph.add_conditional_edges("say", lambda state: "say" if len(state["messages"]) < 12 else "__end__")

    _, history = await bench(agent_of(build), SILENT).run("x" * 2_000)

    sizes = [
        sum(len(payload.data) for payload in event.activity_task_scheduled_event_attributes.input.payloads)
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    assert len(sizes) == 11
    assert max(sizes[1:]) < 2_000


async def test_two_questions_in_a_node_are_asked_one_after_the_other(bench) -> None:
    started: list[str] = []

    def ask(_state: Totals) -> Any:
        started.append("ask")
        name = interrupt("Your name?")
        town = interrupt({"question": "Your town?", "name": name})
        return {"path": [f"{name} of {town}"]}

    made = bench(agent_of(lambda: chain(Totals, ask)), SILENT)

    async with made.worker():
        handle = await made.start({"numbers": [], "path": []})
        for answer in ("Ada", None):
            [question] = await questions_of(handle)
            await handle.execute_update("answer", args=[question["id"], answer])
            asked = question["value"]
        result = await handle.result()
    history = await made.replayed(handle)

    assert asked == {"question": "Your town?", "name": "Ada"}
    assert result["output"] == {"numbers": [], "path": ["Ada of None"]}
    assert steps(history) == ["shop.first"] * 3
    assert len(started) == 3


async def test_a_graph_that_a_node_runs_in_its_activity_may_ask_too(bench) -> None:
    def ask(_state: Totals) -> Any:
        return {"path": [interrupt("First?"), interrupt("Second?")]}

    inner = StateGraph(Totals).add_node("ask", ask).add_edge(START, "ask").compile()

    async def outer(_state: Totals) -> Any:
        before = interrupt("Before?")
        within = await inner.ainvoke({"numbers": [], "path": []})
        return {"path": [before, *within["path"], interrupt("After?")]}

    made = bench(agent_of(lambda: chain(Totals, outer)), SILENT)

    async with made.worker():
        handle = await made.start({"numbers": [], "path": []})
        asked = []
        for answer in "abcd":
            [question] = await questions_of(handle)
            asked.append(question["value"])
            await handle.execute_update("answer", args=[question["id"], answer])
        result = await handle.result()
    await made.replayed(handle)

    assert asked == ["Before?", "First?", "Second?", "After?"]
    assert result["output"]["path"] == list("abcd")


async def test_when_one_of_two_parallel_nodes_fails_once_the_other_runs_once(bench) -> None:
    started: Counter[str] = Counter()

    def flaky(_state: Totals) -> Any:
        started["flaky"] += 1
        if started["flaky"] == 1:
            raise ConnectionResetError("gone for a moment")
        return {"path": ["flaky"]}

    def steady(_state: Totals) -> Any:
        started["steady"] += 1
        return {"path": ["steady"]}

    def build() -> Any:
        graph = StateGraph(Totals).add_node("flaky", flaky, metadata=ACTIVITY)
        return graph.add_node("steady", steady, metadata=ACTIVITY).add_edge(START, "flaky").add_edge(START, "steady")

    result, history = await bench(agent_of(build), SILENT).run({"numbers": [], "path": []})

    assert result["output"]["path"] == ["flaky", "steady"]
    assert started == {"flaky": 2, "steady": 1}
    assert sorted(steps(history)) == ["shop.flaky", "shop.steady"]


async def test_a_loop_that_polls_really_polls(bench) -> None:
    polled: list[str] = []

    def poll(_state: Totals) -> Any:
        polled.append("ready" if len(polled) == 2 else "pending")
        return {"path": Overwrite([polled[-1]])}

    def build() -> Any:
        graph = StateGraph(Totals).add_node("poll", poll, metadata=ACTIVITY).add_edge(START, "poll")
        return graph.add_conditional_edges("poll", lambda state: "poll" if state["path"] == ["pending"] else "__end__")

    result, history = await bench(agent_of(build), SILENT).run({"numbers": [], "path": []})

    assert result["output"]["path"] == ["ready"]
    assert steps(history) == ["shop.poll"] * 3


class Watched(CompiledStateGraph):
    """Keeps what its nodes write to the stream."""

    seen: ClassVar[list[Any]] = []

    async def ainvoke(self, input: Any, config: Any = None, **options: Any) -> Any:  # noqa: A002
        state = None
        async for mode, item in self.astream(input, config, stream_mode=["custom", "values"], **options):
            if mode == "custom":
                self.seen.append(item)
            else:
                state = item
        return state


async def test_what_a_node_writes_reaches_the_stream_in_its_order(bench) -> None:
    def write(_state: Totals) -> Any:
        for number in range(3):
            get_stream_writer()({"at": (number, Decimal(number))})
        return {"path": ["written"]}

    def build() -> Any:
        compiled = chain(Totals, write).compile()
        compiled.__class__ = Watched
        return compiled

    Watched.seen.clear()

    result, _ = await bench(agent_of(build), SILENT).run({"numbers": [], "path": []})

    assert result["output"]["path"] == ["written"]
    assert Watched.seen[:3] == [{"at": (number, Decimal(number))} for number in range(3)]


# Failures


class OutOfStock(Exception):
    pass


async def test_langgraphs_retry_policy_decides_in_the_activity(bench) -> None:
    """Two policies, one by class and one by a function; neither is for a `ValueError`."""
    raised = [OutOfStock("a"), KeyError("b"), OutOfStock("c")]
    attempts: list[int] = []

    def order(_state: Totals, runtime: Runtime) -> Any:
        attempts.append(runtime.execution_info.node_attempt)
        if raised:
            raise raised.pop(0)
        return {"path": ["ordered"]}

    quick = functools.partial(RetryPolicy, initial_interval=0.01, jitter=False, max_attempts=4)
    policies = [quick(retry_on=OutOfStock), quick(retry_on=lambda error: error.args == ("b",))]
    agent = agent_of(lambda: chain(Totals, order, retry_policy=policies), node_step=StepOptions(attempts=1))

    result, history = await bench(agent, SILENT).run({"numbers": [], "path": []})

    assert result["output"]["path"] == ["ordered"]
    assert attempts == [1, 2, 3, 4]
    assert steps(history) == ["shop.first"]


async def test_tools_in_a_node_have_the_same_keys_when_it_is_tried_again(bench) -> None:
    attempts: list[list[str]] = []

    @durable(effect="idempotent")
    @tool
    async def pay(amount: int) -> str:
        """Pay."""
        attempts[-1].append(idempotency_key())
        return f"{amount} paid"

    @durable(effect="idempotent")
    @tool
    def refund(amount: int) -> str:
        """Pay back."""
        attempts[-1].append(idempotency_key())
        return f"{amount} paid back"

    def build(resources: Resources) -> Any:
        pay_, refund_ = resources.tools

        async def settle(_state: MessagesState) -> Any:
            attempts.append([])
            for amount in (1, 1, 2):
                await pay_.ainvoke({"amount": amount})
            await refund_.ainvoke({"amount": 1})
            if len(attempts) == 1:
                raise ConnectionError
            return {"messages": [("ai", "settled")]}

        return chain(MessagesState, settle, settle, retry_policy=RetryPolicy(max_attempts=2, initial_interval=0.01))

    await bench(Agent("shop", build, tools=[pay, refund]), SILENT).run("settle")

    first, again, next_node = attempts
    assert first == again
    assert len({*first, *next_node}) == 8


async def test_what_no_policy_is_for_is_not_tried_again(bench) -> None:
    started: list[str] = []

    def order(_state: Totals) -> Any:
        started.append("order")
        raise ValueError("no such article")

    agent = agent_of(lambda: chain(Totals, order, retry_policy=RetryPolicy(retry_on=OutOfStock)))

    error = await failure_of(bench(agent, SILENT), {"numbers": [], "path": []})

    assert error.message.startswith("ValueError: no such article")
    assert started == ["order"]


async def test_langgraphs_timeout_ends_a_node_with_langgraphs_error(bench) -> None:
    async def hang(_state: Totals) -> Any:
        await asyncio.Event().wait()

    def build() -> Any:
        return chain(Totals, hang, timeout=0.05, retry_policy=RetryPolicy(max_attempts=1))

    error = await failure_of(bench(agent_of(build), SILENT), {"numbers": [], "path": []})

    assert error.message.startswith("NodeTimeoutError: Node 'first' exceeded its run timeout of 0.050s")


async def test_an_exception_of_a_node_is_of_its_class_in_the_graph(bench) -> None:
    def order(_state: Totals) -> Any:
        raise OutOfStock("A-17")

    def repair(_state: Totals, error: Any) -> Any:
        return {"path": [f"{type(error.error).__name__} {error.error}"]}

    def build() -> Any:
        repair.__annotations__["error"] = "NodeError"
        return chain(Totals, order, error_handler=repair)

    agent = agent_of(build, node_step=StepOptions(attempts=1))

    result, history = await bench(agent, SILENT).run({"numbers": [], "path": []})

    assert result["output"]["path"] == ["OutOfStock A-17"]
    assert steps(history) == ["shop.first"]


async def test_a_state_of_a_type_that_cannot_cross_fails_the_run_and_says_where(bench) -> None:
    error = await failure_of(
        bench(agent_of(lambda: chain(Totals, lambda _state: {"path": [object()]})), SILENT), {"numbers": [], "path": []}
    )

    assert error.type == "UnsupportedValue"
    assert error.message.startswith("shop.first.path[0] is a builtins:object")


# Functional tasks

rolled: list[int] = []


@task
async def roll(sides: int, *, again: bool = False) -> tuple[int, Line]:
    rolled.append(sides)
    return len(rolled), Line(article=f"{sides} {again}", price=Decimal(1))


@task
def ask_name(greeting: str) -> str:
    return f"{greeting} {interrupt('Name?')}"


@task
async def through(sides: int) -> Any:
    return (await roll(sides))[0]


def dice(_resources: Resources) -> Any:
    @entrypoint()
    async def play(sides: int) -> list[Any]:
        first, line = await roll(sides)
        second, _ = await roll(sides)
        return [first, second, line.article, await through(sides)]

    return play


DICE = {"roll": {"execute_in": "activity"}, "through": {"execute_in": "workflow"}}


async def test_a_task_that_is_called_twice_runs_twice(bench) -> None:
    agent = Agent("dice", dice, activity_options=DICE)
    rolled.clear()
    expected = await run_live(agent, 6, model=SILENT)
    rolled.clear()

    result, history = await bench(agent, SILENT).run(6)

    assert result["output"] == expected == [1, 2, "6 False", 3]
    assert steps(history) == ["dice.roll"] * 3


async def test_a_task_in_a_task_is_part_of_its_activity(bench) -> None:
    agent = Agent("dice", dice, activity_options={key: {"execute_in": "activity"} for key in ("roll", "through")})
    rolled.clear()

    result, history = await bench(agent, SILENT).run(6)

    assert result["output"] == [1, 2, "6 False", 3]
    assert steps(history) == ["dice.roll", "dice.roll", "dice.through"]


async def test_a_task_asks_a_person(bench) -> None:
    def build(_resources: Resources) -> Any:
        @entrypoint()
        async def greet(greeting: str) -> str:
            return await ask_name(greeting)

        return greet

    made = bench(Agent("host", build, activity_options={"ask_name": {"execute_in": "activity"}}), SILENT)

    async with made.worker():
        handle = await made.start("Good day")
        [question] = await questions_of(handle)
        await handle.execute_update("answer", args=[question["id"], "Ada"])
        result = await handle.result()
    history = await made.replayed(handle)

    assert result["output"] == "Good day Ada"
    assert steps(history) == ["host.ask_name"] * 2


async def test_a_model_call_of_the_workflow_and_a_node_share_a_conversation(bench) -> None:
    def build(resources: Resources) -> Any:
        async def answer(state: MessagesState) -> Any:
            return {"messages": [await resources.model().ainvoke(state["messages"])]}

        graph = StateGraph(MessagesState).add_node("answer", answer)
        graph.add_node("add_up", lambda state: {"messages": [("ai", str(len(state["messages"])))]}, metadata=ACTIVITY)
        return graph.add_edge(START, "answer").add_edge("answer", "add_up")

    model = ScriptedModel(script=[call("none").model_copy(update={"tool_calls": [], "content": "hello"})])

    result, history = await bench(Agent("shop", build), model).run("x")

    assert result["output"] == "2"
    assert steps(history) == ["call_model", "shop.add_up"]
