"""Nothing hangs: whatever graph code, a step or a caller does, the run ends and says why."""

from __future__ import annotations

import asyncio
import sys
import threading
import uuid
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt
from pydantic import Field
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities.collection import CollectionIdentity
from activities.ingestion import DocumentList, IngestRequest, IngestResponse, ListRequest, PrepareRequest
from agents import Agent, Resources, StepOptions
from agents.testing import ScriptedModel, call
from tests.integration.cases import add, agent_with, confirm
from tests.integration.conftest import PATIENCE, steps
from tests.integration.test_agent_workflow import GREETING, failure_of, questions_of
from workflows.contracts import AGENT_WORKFLOW, INGEST_WORKFLOW


class OutOfStock(Exception):
    pass


def of_node(node: Any) -> Agent:
    """An agent of one node, whose state is what the node returns."""

    def build(_resources: Resources) -> Any:
        return StateGraph(dict).add_node("node", node).add_edge(START, "node")

    return Agent("one-node", build)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "raised",
    [SystemExit(3), KeyboardInterrupt(), BaseExceptionGroup("both", [KeyboardInterrupt()]), StopIteration()],
    ids=lambda raised: type(raised).__name__,
)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_what_would_end_the_process_ends_the_run_alone(bench, raised, is_async) -> None:
    def fail(_state: Any) -> None:
        raise raised

    async def fail_later(_state: Any) -> None:
        raise raised

    error = await failure_of(bench(of_node(fail_later if is_async else fail), GREETING), {"x": 1})

    assert error.type == "GraphFailed"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"x": "\ud83d"}, "The result of the run can't be written as JSON at output.x: "),
        ({"x": [1, {"y": object()}]}, "output.x[1].y can't be written as JSON: "),
        ({"x": nested(230)}, "The result of the run can't be read"),
        ({"x": nested(2_000)}, "of the state can't be copied: RecursionError"),
        ({"x": threading.Lock()}, "of the state can't be copied: TypeError"),
    ],
    ids=["half a pair", "an object", "deep", "very deep", "a lock"],
)
async def test_a_state_that_no_client_can_read_fails_the_run(bench, state, words) -> None:
    error = await failure_of(bench(of_node(lambda _state: state), GREETING), {"x": 1})

    assert words in error.message


@pytest.mark.parametrize(
    ("state", "output"),
    [
        ({"citations": ["https://example.org"]}, {"citations": ["https://example.org"]}),
        ({"messages": {"a": "b"}}, {"messages": {"a": "b"}}),
        ({"x": b"\xff"}, {"x": "_w=="}),
    ],
    ids=["citations of another kind", "messages of another kind", "bytes"],
)
async def test_an_unusual_state_is_a_result(bench, state, output) -> None:
    result, _ = await bench(of_node(lambda _state: state), GREETING).run({"y": 1})

    assert result["output"] == output
    assert result["citations"] == []


@pytest.mark.parametrize(
    "payload",
    [
        Payload(metadata={"encoding": b"json/plain"}, data=b'{"agent": "one-node", "input": "cut \\ud83d"}'),
        Payload(metadata={"encoding": b"json/plain"}, data=b'{"agent": '),
        Payload(metadata={"encoding": b"json/plain"}, data=b"[" * 220 + b"]" * 220),
        Payload(metadata={"encoding": b"binary/encrypted"}, data=b"secret"),
        Payload(metadata={"encoding": b"json/protobuf", "messageType": b"unknown"}, data=b"{}"),
    ],
    ids=["half a pair", "broken", "deep", "encrypted", "protobuf"],
)
@pytest.mark.parametrize("kind", [AGENT_WORKFLOW, INGEST_WORKFLOW])
async def test_an_input_that_cannot_be_read_fails_the_run(bench, payload, kind) -> None:
    made = bench(of_node(lambda state: state), GREETING)

    async with made.worker():
        with pytest.raises(WorkflowFailureError) as caught:
            await made.client.execute_workflow(
                kind,
                RawValue(payload),
                id=str(uuid.uuid4()),
                task_queue=made.settings.task_queue,
                execution_timeout=PATIENCE,
            )

    assert caught.value.cause.type == "InvalidInput"
    assert "can't be read as JSON" in caught.value.cause.message


async def test_a_step_whose_result_cannot_be_read_fails_the_run(bench) -> None:
    @tool
    def dig() -> Any:
        """Dig deep."""
        return nested(230)

    error = await failure_of(bench(agent_with(dig), ScriptedModel(script=[call("dig")])), "x")

    assert error.type == "UnsupportedValue"
    assert "The result of dig can't be read" in error.message


@pytest.mark.parametrize("text", ["x" * 5_000_000, "half a pair \ud83d"], ids=["long", "half a pair"])
async def test_an_exception_with_any_text_fails_the_run_with_its_name(bench, text) -> None:
    def fail(_state: Any) -> None:
        raise ValueError(text)

    error = await failure_of(bench(of_node(fail), GREETING), {"x": 1})

    assert error.type == "GraphFailed"
    assert error.message.startswith("ValueError: ")
    assert len(error.message) <= 2_000
    assert error.cause is None


async def test_a_key_in_an_exception_of_a_node_does_not_reach_the_history(bench) -> None:
    key = "sk-canary-0123456789abcdef0123456789abcdef"

    def fail(_state: Any) -> None:
        raise ValueError(f"401 for api_key={key}")

    made = bench(of_node(fail), GREETING)
    async with made.worker():
        handle = await made.start({"x": 1})
        with pytest.raises(WorkflowFailureError):
            await handle.result()

    assert key not in (await handle.fetch_history()).to_json()


async def test_time_sleep_in_a_node_fails_the_run_and_names_the_node(bench) -> None:
    import time  # noqa: PLC0415 -- as a node would see it

    error = await failure_of(bench(of_node(lambda _state: time.sleep(3)), GREETING), {"x": 1})

    assert error.type == "BlockingCall"
    assert error.message.startswith("Node 'node' did time.sleep(3) inside a workflow")


async def test_waiting_for_a_task_by_its_result_fails_the_run_and_says_what_to_do(bench) -> None:
    def build(_resources: Resources) -> Any:
        @task
        def double(number: int) -> int:
            return number * 2

        @entrypoint()
        def program(number: int) -> int:
            return double(number).result()

        return program

    error = await failure_of(bench(Agent("program", build), GREETING), 1)

    assert error.type == "GraphFailed"
    assert "InvalidStateError: Result is not set. In a workflow `result()` can't wait" in error.message


async def test_a_file_that_a_node_opens_in_temporals_sandbox_fails_the_run(bench) -> None:
    made = bench(of_node(lambda _state: open("/etc/hosts").close()), GREETING, sandbox=True)  # noqa: PTH123

    error = await failure_of(made, {"x": 1})

    assert error.type == "BlockingCall"
    assert "open from inside a workflow" in error.message


@pytest.mark.parametrize("value", [object(), "\ud83d"], ids=["an object", "half a pair"])
async def test_a_question_that_cannot_be_shown_fails_the_run(bench, value) -> None:
    error = await failure_of(bench(of_node(lambda _state: interrupt(value)), GREETING), {"x": 1})

    assert error.type == "UnsupportedValue"
    assert "can't be written as JSON" in error.message


async def test_an_ingestion_whose_step_fails_for_good_fails(bench) -> None:
    @activity.defn(name="prepare_collection")
    async def prepare(request: PrepareRequest) -> CollectionIdentity:
        return CollectionIdentity(name=request.collection, embedder="e", dimensions=1, lexical=True)

    @activity.defn(name="list_documents")
    async def list_documents(_request: ListRequest) -> DocumentList:
        return DocumentList(documents=[f"document {number}" for number in range(30)])

    @activity.defn(name="ingest_documents")
    async def ingest(_request: IngestRequest) -> IngestResponse:
        raise ApplicationError("no key", type="ProviderRefused", non_retryable=True)

    made = bench(of_node(lambda state: state), GREETING, activities=[prepare, list_documents, ingest])
    async with made.worker():
        with pytest.raises(WorkflowFailureError) as caught:
            await made.client.execute_workflow(
                INGEST_WORKFLOW,
                {"collection": "docs", "source": {"kind": "installed"}},
                id=str(uuid.uuid4()),
                task_queue=made.settings.task_queue,
                execution_timeout=PATIENCE,
            )

    assert caught.value.cause.type == "ProviderRefused"
    assert caught.value.cause.message == "no key"


def asks_six(way: str) -> Agent:
    """Six model calls at once, and what is done with their answers depends on the order in which they come."""

    def build(resources: Resources) -> Any:
        model = resources.model()

        async def ask(_state: MessagesState) -> dict[str, Any]:
            calls = [model.ainvoke(f"question {number}") for number in range(6)]
            if way == "as_completed":
                answers = [await each for each in asyncio.as_completed(calls)]
            else:
                done, _ = await asyncio.wait([asyncio.ensure_future(each) for each in calls])
                answers = [each.result() for each in done]
            following = [await model.ainvoke(answer.text) for answer in answers]
            return {"messages": following[-1:]}

        return StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")

    return Agent("six", build)


class Echo(ScriptedModel):
    script: list[AIMessage] = Field(default_factory=list)

    def _answer(self, messages: Any) -> AIMessage:
        return AIMessage(f"answer to {messages[-1].text}")


@pytest.mark.parametrize("way", ["as_completed", "wait"])
async def test_calls_that_are_awaited_in_any_order_replay_in_one(bench, way, cached_workflows) -> None:
    _, history = await bench(asks_six(way), Echo(), cached=cached_workflows).run("x")

    assert steps(history) == ["call_model"] * 12


async def test_queries_between_steps_do_not_change_what_a_replay_does(bench) -> None:
    agent = asks_six("wait")

    def build(resources: Resources) -> Any:
        graph = agent.build(resources)
        graph.add_node("first", lambda _state: {"messages": [("ai", interrupt("ready?"))]})
        graph.add_edge("first", "ask")
        graph.edges.discard((START, "ask"))
        return graph.add_edge(START, "first")

    made = bench(Agent("six", build), Echo(), cached=100)
    async with made.worker():
        handle = await made.start("x")
        [question] = await questions_of(handle)
        for _ in range(6):
            await handle.query("usage")
        await handle.execute_update("answer", args=[question["id"], "yes"])
        await handle.result()

    history = await made.replayed(handle)
    assert steps(history) == ["call_model"] * 12


async def test_a_tools_own_exception_reaches_the_policies_of_the_graph(bench) -> None:
    @tool
    def order() -> str:
        """Order."""
        raise OutOfStock("no A-17", 3)

    def build(resources: Resources) -> Any:
        graph = StateGraph(MessagesState)
        graph.add_node("tools", ToolNode(resources.tools, handle_tool_errors=(OutOfStock,)))
        return graph.add_edge(START, "tools")

    given = {"messages": [call("order")]}
    result, _ = await bench(Agent("shop", build, tools=[order]), GREETING).run(_plain(given))

    assert result["output"] == "Error: OutOfStock('no A-17', 3)\n Please fix your mistakes."


class Mumbling(BaseChatModel):
    """Calls a tool with half of its arguments' JSON, `times` times, and then answers."""

    times: int
    asked: list[int] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "mumbling"

    def bind_tools(self, tools: Any, **_options: Any) -> Any:  # noqa: ARG002 -- the base's signature
        return self

    def _generate(self, *_args: Any, **_options: Any) -> ChatResult:
        self.asked.append(1)
        broken = {"name": "add", "args": '{"a": 1', "id": "one", "error": None, "type": "invalid_tool_call"}
        clear = len(self.asked) > self.times
        message = AIMessage("3") if clear else AIMessage("", invalid_tool_calls=[broken])
        return ChatResult(generations=[ChatGeneration(message=message)])


async def test_a_tool_call_that_cannot_be_read_is_asked_for_again(bench) -> None:
    result, history = await bench(agent_with(add), Mumbling(times=1)).run("Add.")

    assert result["output"] == "3"
    assert steps(history) == ["call_model"]


async def test_a_model_that_never_writes_a_readable_call_fails_the_run_and_is_quoted(bench) -> None:
    plain = agent_with(add)
    agent = Agent("worker", plain.build, tools=plain.tools, model_step=StepOptions(attempts=2))

    error = await failure_of(bench(agent, Mumbling(times=9)), "Add.")

    assert error.type == "MalformedToolCall"
    assert """called 'add' with arguments that are no JSON: '{"a": 1'""" in error.message


async def test_two_equal_calls_of_a_tool_that_asks_are_two_questions(bench) -> None:
    calls = [*call("confirm", "one", action="pay").tool_calls, *call("confirm", "two", action="pay").tool_calls]
    made = bench(agent_with(confirm), ScriptedModel(script=[AIMessage("", tool_calls=calls), AIMessage("paid")]))

    async with made.worker():
        handle = await made.start("pay twice")
        asked = await questions_of(handle)
        for question in asked:
            await handle.execute_update("answer", args=[question["id"], "yes"])
        result = await handle.result()

    assert len(asked) == 2
    assert result["output"] == "paid"
    assert result["usage"]["tool_calls"] == 4
    await made.replayed(handle)


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [message.model_dump(mode="json") for message in given["messages"]]}


def test_the_recursion_limit_of_python_is_the_usual_one() -> None:
    """The depths above are chosen for it."""
    assert sys.getrecursionlimit() >= 1_000


async def test_2500_calls_at_once_all_complete(bench) -> None:
    @tool
    async def double(number: int) -> int:
        """Double it."""
        return 2 * number

    def build(resources: Resources) -> Any:
        async def fan_out(_state: Any) -> dict[str, Any]:
            calls = [resources.tools[0].ainvoke({"number": number}) for number in range(2_500)]
            return {"sum": sum(await asyncio.gather(*calls))}

        return StateGraph(dict).add_node("fan_out", fan_out).add_edge(START, "fan_out")

    made = bench(Agent("wide", build, tools=[double]), GREETING, cached=100)

    result, history = await made.run({"sum": 0}, patience=10 * PATIENCE)

    assert result["output"] == {"sum": 2_499 * 2_500}
    assert len(steps(history)) == 2_500


async def test_a_hundred_tool_calls_on_a_long_conversation_leave_a_small_history(bench) -> None:
    @tool
    def read(page: int) -> str:
        """Read a page."""
        return f"{page:04} " * 1_000

    agent = Agent("reader", agent_with(read).build, tools=[read], recursion_limit=300)
    script = [*(call("read", f"call-{page}", page=page) for page in range(100)), AIMessage("Read.")]
    long_ago = [{"role": "user", "content": "word " * 200} for _ in range(1_000)]  # 200,000 tokens
    made = bench(agent, ScriptedModel(script=script), cached=100)

    result, history = await made.run([*long_ago, {"role": "user", "content": "Read it all."}])

    assert result["output"] == "Read."
    assert sum(event.ByteSize() for event in history.events) < 5_000_000
