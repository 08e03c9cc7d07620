"""Memories of tenants and users do not meet, whoever asks for them and however."""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, tool
from langgraph.config import get_store
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedStore
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore
from temporalio.client import WorkflowFailureError

from activities.lexical import LexicalEmbedder
from activities.weaviate_items import WeaviateItems
from activities.weaviate_store import WeaviateStore
from agents import Agent, Resources
from agents.errors import InvalidInput
from agents.testing import ScriptedModel, call
from temporal.client import Agents
from temporal.dev.stack import Stack
from temporal.target import Target
from tests.integration.cases import agent_with
from tests.integration.conftest import Bench
from tests.integration.documents import connection
from tests.integration.test_agent_workflow import GREETING
from tests.integration.threads import Strict, begin

if TYPE_CHECKING:
    from activities.store import MakeStore

ADA, BOB = {"tenant": "acme", "user": "ada"}, {"tenant": "acme", "user": "bob"}
EVE, OTHER_ADA = {"tenant": "evil", "user": "eve"}, {"tenant": "Acme", "user": "ada"}
EVERYBODY = [ADA, BOB, EVE, OTHER_ADA, {"tenant": "acme"}, {"user": "ada"}, {}]


@pytest.fixture
async def make_store(stack: Stack) -> AsyncIterator[MakeStore]:
    async with connection(stack).open() as weaviate:
        items = WeaviateItems(weaviate, LexicalEmbedder(), collection=f"Store{uuid.uuid4().hex[:8]}")
        yield functools.partial(WeaviateStore, items)


async def kept_and_found(store: BaseStore, text: str) -> str:
    """Keeps `text` where all do, and tells what can be found by any way there is."""
    await store.aput(("memories",), text, {"text": text})
    found = {item.key for item in await store.asearch((), limit=100)}
    found |= {item.key for item in await store.asearch((), query=text, limit=100)}
    for tenant in ("acme", "evil"):
        for root in (("tenant", tenant), ("user", tenant, "ada"), ("shared",)):
            found |= {item.key for item in await store.asearch(root, limit=100)}
            item = await store.aget((*root, "memories"), "ada's")
            found |= {item.key} if item else set()
    return f"{sorted(found)} in {await store.alist_namespaces()}"


def in_a_node(metadata: dict[str, Any] | None = None, **options: Any) -> Agent:
    async def keep(state: MessagesState, runtime: Runtime[Any]) -> dict[str, Any]:
        return {"messages": [("ai", await kept_and_found(runtime.store, state["messages"][-1].text))]}

    def build(_resources: Resources) -> Any:
        return StateGraph(MessagesState).add_node("keep", keep, metadata=metadata).add_edge(START, "keep")

    return Agent("keeper", build, **options)


@tool
async def keep_here(text: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Keep a text."""
    return await kept_and_found(store, text)


@tool
async def keep_there(text: str) -> str:
    """Keep a text."""
    return await kept_and_found(get_store(), text)


def with_tool(used: BaseTool, **options: Any) -> Agent:
    """It says what its tool said."""

    def repeat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [("ai", next(each.text for each in state["messages"] if each.type == "tool"))]}

    def build(resources: Resources) -> Any:
        graph = StateGraph(MessagesState).add_node("agent", create_agent(resources.model(), resources.tools))
        return graph.add_node("repeat", repeat).add_edge(START, "agent").add_edge("agent", "repeat")

    return Agent("keeper", build, tools=[used], **options)


in_process = with_tool(keep_here, isolation="process")


def calling(metadata: dict[str, Any] | None = None) -> Agent:
    def build(resources: Resources) -> Any:
        async def ask(state: MessagesState) -> dict[str, Any]:
            return {"messages": [("ai", await resources.agent("keeper").ainvoke(state["messages"][-1].text))]}

        return StateGraph(MessagesState).add_node("ask", ask, metadata=metadata).add_edge(START, "ask")

    return Agent("asking", build)


class Keeping(ScriptedModel):
    """Has its tool keep what it is told."""

    tool: str

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        told = messages[-1]
        if not isinstance(told, HumanMessage):
            return AIMessage("kept")
        return call(self.tool, text=told.text)


async def answered(made: Bench, given: str, whose: dict[str, str]) -> str:
    handle = await made.start(given, **whose)
    result: str = (await handle.result())["output"]
    await made.replayed(handle)
    return result


IN_ACTIVITY = {"execute_in": "activity"}


@pytest.mark.parametrize(
    ("agent", "others"),
    [
        (in_a_node(), []),
        (in_a_node(IN_ACTIVITY), []),
        (with_tool(keep_here), []),
        (with_tool(keep_there, isolation="thread"), []),
        (in_process, []),
        (calling(), [in_a_node()]),
        (calling(IN_ACTIVITY), [in_a_node()]),
    ],
    ids=["node", "node as an activity", "tool", "tool in a thread", "tool in a process", "child", "live child"],
)
async def test_nobody_finds_what_others_keep(bench, make_store, agent, others) -> None:
    used = next((tool.name for tool in agent.tools), "")
    made = bench(agent, Keeping(script=[], tool=used), others=others, store=make_store)

    async with made.worker():
        for number, whose in enumerate(EVERYBODY):
            text = "ada's" if whose is ADA else f"number {number}"
            assert await answered(made, text, whose) == f"{[text]} in {[('memories',)]}"


@pytest.mark.parametrize(
    ("memory", "meet"),
    [("user", {"one's", "four's"}), ("tenant", {"one's", "two's", "four's"}), ("shared", None)],
)
async def test_an_agent_says_who_shares_its_memories(bench, make_store, memory, meet) -> None:
    made = bench(in_a_node(memory=memory), GREETING, store=make_store)
    runs = {"one's": ADA, "two's": BOB, "three's": EVE, "four's": ADA}

    async with made.worker():
        *_, last = [await answered(made, text, whose) for text, whose in runs.items()]

    assert last == f"{sorted(meet or runs)} in {[('memories',)]}"


async def test_the_graph_is_told_for_whom_it_works(bench) -> None:
    def say(_state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        inside = config["configurable"]
        return {"messages": [("ai", f"{inside.get('tenant')} {inside.get('user')}")]}

    made = bench(Agent("s", lambda _: StateGraph(MessagesState).add_node("s", say).add_edge(START, "s")), GREETING)

    async with made.worker():
        assert [await answered(made, "hello", whose) for whose in (ADA, {})] == ["acme ada", "None None"]


@pytest.mark.parametrize("tenant", ["", "a/b", "acme\n", "ä", "a" * 129, "-", 7])
async def test_a_name_that_is_none_fails_the_run(bench, tenant) -> None:
    made = bench(in_a_node(), GREETING)

    async with made.worker():
        handle = await made.start("hello", tenant=tenant)
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()

    assert "tenant" in str(caught.value.cause)


async def test_the_turns_of_a_thread_have_its_memories_and_a_stranger_is_refused(bench, make_store) -> None:
    made = bench(in_a_node(), GREETING, store=make_store)

    async with made.worker():
        stranger = await begin(made, **EVE)
        await stranger.say("eve's")
        talk = await begin(made, **ADA, events=1)
        turns = [await talk.say("one", id="one"), await talk.say("two", **ADA)]
        refused = [await talk.refused("x", tenant="evil"), await talk.refused("one", id="one", user="eve")]
        for each in (talk, stranger):
            await each.close()

    assert [turn["output"] for turn in turns] == [f"{names} in [('memories',)]" for names in (["one"], ["one", "two"])]
    assert [each.message for each in refused] == [
        "The thread's tenant is 'acme', and not 'evil'.",
        "The thread's user is 'ada', and not 'eve'.",
    ]
    assert len(await talk.histories()) > 1


async def test_a_client_goes_on_with_no_thread_of_another_tenant(bench) -> None:
    made = bench(agent_with(), Strict())
    agents = Agents(made.client, Target("the test's", "default", "the test"), made.settings.task_queue)

    async with made.worker():
        own = agents.thread("worker", f"thread-{uuid.uuid4().hex[:8]}", **ADA)
        await own.send("one")
        stranger = agents.thread("worker", own.id, **EVE)
        with pytest.raises(InvalidInput, match="The thread's tenant is 'acme', and not 'evil'"):
            await stranger.send("two")
        await own.close()
        await own.result()
        with pytest.raises(InvalidInput, match="The thread's tenant is 'acme', and not 'evil'"):
            await stranger.send("two")
        again = await own.send("three")
        await own.close()

    assert again.output == "3: three"


async def test_a_fork_works_for_whom_its_source_did(bench, make_store) -> None:
    made = bench(in_a_node(), GREETING, store=make_store)
    agents = Agents(made.client, Target("the test's", "default", "the test"), made.settings.task_queue)

    async with made.worker():
        run = await made.start("one", **ADA)
        await run.result()
        fork = await agents.fork(run.id, input={"messages": [("user", "two")]})
        output = (await fork.result()).output

    assert output == f"{['one', 'two']} in {[('memories',)]}"
