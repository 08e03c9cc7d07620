"""The store in Weaviate gives what LangGraph's InMemoryStore gives; in a run it is what it is in plain LangGraph."""

from __future__ import annotations

import functools
import json
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.config import get_store
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedStore
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from activities.items import StoredItem, item_id, label, prefixes
from activities.lexical import LexicalEmbedder
from activities.weaviate import Weaviate, WeaviateConnection
from activities.weaviate_items import WeaviateItems
from activities.weaviate_store import WeaviateStore
from activities.wire import types_in
from agents import Agent, Resources
from agents.errors import CollectionMismatch
from agents.exchange import output_of
from agents.options import StepOptions
from agents.testing import ScriptedModel, call, run_live
from temporal.dev.stack import Stack
from tests.integration.conftest import steps
from tests.integration.documents import OtherEmbedder, connection
from tests.integration.test_agent_workflow import GREETING, failure_of

if TYPE_CHECKING:
    from activities.store import MakeStore


@dataclass(frozen=True)
class Money:
    amount: int


@pytest.fixture(scope="module")
async def weaviate(stack: Stack) -> AsyncIterator[Weaviate]:
    async with connection(stack).open() as opened:
        yield opened


@pytest.fixture
def items(weaviate: Weaviate) -> WeaviateItems:
    """A collection of the test's own, read in small pages."""
    return WeaviateItems(weaviate, LexicalEmbedder(), collection=f"Store{uuid.uuid4().hex[:8]}", page=3)


@pytest.fixture
async def store(items: WeaviateItems) -> WeaviateStore:
    return WeaviateStore(items, types_in([Money]))


@pytest.fixture
def make_store(items: WeaviateItems) -> MakeStore:
    return functools.partial(WeaviateStore, items)


# The store alone

NAMESPACES = [("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("b", "ü")]
KEYS = ["one", "two", "three", "a/b"]
FILTERS = [None, {"n": 1}, {"n": {"$gte": 2}}, {"color": "red", "n": {"$ne": 1}}, {"deep": {"x": [1, 2]}}]


def some_value(chance: random.Random) -> dict[str, Any]:
    return {
        "n": chance.randrange(4),
        "color": chance.choice(["red", "blue"]),
        "deep": {"x": chance.choice([[1, 2], (1, 2), None])},
        "money": Money(chance.randrange(3)),
    }


def some_operation(chance: random.Random) -> Any:
    namespace, key = chance.choice(NAMESPACES), chance.choice(KEYS)
    match chance.randrange(6):
        case 0 | 1:
            return PutOp(namespace, key, some_value(chance), chance.choice([None, False, ["color"]]))
        case 2:
            return PutOp(namespace, key, None)
        case 3:
            return GetOp(namespace, key)
        case 4:
            prefix = namespace[: chance.randrange(len(namespace) + 1)]
            return SearchOp(prefix, chance.choice(FILTERS), limit=100, query=chance.choice([None, "red"]))
        case _:
            return ListNamespacesOp(max_depth=chance.choice([None, 1, 2]), limit=3, offset=chance.randrange(2))


def some_batch(chance: random.Random) -> list[Any]:
    """A list of namespaces alone: plain LangGraph counts those that the same batch has asked for."""
    ops = [some_operation(chance) for _ in range(chance.randrange(1, 4))]
    return next(([op] for op in ops if isinstance(op, ListNamespacesOp)), ops)


def without_empty_namespaces(store: InMemoryStore) -> InMemoryStore:
    """It remembers a namespace that was only asked for."""
    for namespace in [name for name, kept in store._data.items() if not kept]:
        del store._data[namespace]
    return store


def comparable(result: Any) -> Any:
    """Without what may differ: times, scores, and the order of a search over several namespaces."""
    if isinstance(result, list) and result and not isinstance(result[0], tuple):
        return sorted((comparable(item) for item in result), key=repr)
    return (result.namespace, result.key, result.value) if hasattr(result, "key") else result


@pytest.mark.parametrize("seed", range(4))
async def test_the_same_operations_give_the_same_results(seed, store) -> None:
    chance, oracle = random.Random(seed), InMemoryStore()  # noqa: S311 -- no secrets

    for _ in range(40):
        ops = some_batch(chance)
        expected = await without_empty_namespaces(oracle).abatch(ops)

        assert [comparable(each) for each in await store.abatch(ops)] == [comparable(each) for each in expected]


async def test_pages_of_one_namespace_are_in_the_order_in_which_items_were_made(items) -> None:
    store, oracle = WeaviateStore(items, {}), InMemoryStore()
    for number in range(11):
        for each in (store, oracle):
            await each.aput(("n",), f"key {-number}", {"number": number})
    for each in (store, oracle):
        await each.aput(("n",), "key -4", {"number": 4, "again": True})

    for offset in range(0, 12, 5):
        page = await store.asearch(("n",), limit=5, offset=offset)
        expected = await oracle.asearch(("n",), limit=5, offset=offset)
        assert [(item.key, item.value) for item in page] == [(item.key, item.value) for item in expected]


async def test_items_of_one_moment_are_all_found(items) -> None:
    await items.write({item_id(("n",), str(number)): _made_at(number // 7, str(number)) for number in range(20)})

    assert sorted([int(item.key) async for item in items.scan(("n",))]) == list(range(20))


def _made_at(moment: int, key: str) -> StoredItem:
    return StoredItem(
        namespace=label(("n",)),
        prefixes=prefixes(("n",)),
        key=key,
        data="{}",
        text="",
        facts=[],
        indexed=False,
        created=moment,
        updated=moment,
    )


async def test_an_item_that_is_written_again_keeps_when_it_was_made(store) -> None:
    await store.aput(("n",), "k", {"v": 1})
    first = await store.aget(("n",), "k")
    await store.aput(("n",), "k", {"v": 2})
    second = await store.aget(("n",), "k")

    assert second.created_at == first.created_at == first.updated_at
    assert second.updated_at > first.updated_at


async def test_a_search_gives_the_nearest_first_and_then_what_was_not_indexed(store) -> None:
    await store.aput(("m",), "food", {"text": "Alice likes pizza with olives"})
    await store.aput(("m",), "work", {"text": "Alice repairs bicycles"})
    await store.aput(("m",), "hidden", {"text": "pizza pizza pizza"}, index=False)
    await store.aput(("m", "titles"), "title", {"title": "Bicycles", "text": "pizza"}, index=["title"])

    found = await store.asearch(("m",), query="Which pizza does she like?", limit=10)
    bicycles = await store.asearch(("m",), query="bicycles", filter={"text": "pizza"}, limit=1)

    assert found[0].key == "food"
    assert found[0].score > found[1].score
    assert (found[-1].key, found[-1].score) == ("hidden", None)
    assert len(found) == 4
    assert [item.key for item in bicycles] == ["title"]


async def test_a_filter_that_leaves_few_is_searched_further(store) -> None:
    for number in range(30):
        await store.aput(("n",), str(number), {"text": "a tree", "n": number})

    found = await store.asearch(("n",), query="tree", filter={"n": {"$gte": 27}}, limit=3)

    assert sorted(item.value["n"] for item in found) == [27, 28, 29]


async def test_a_root_hides_what_is_outside_it(items) -> None:
    one, two = (WeaviateStore(items, {}, root=("tenant", name)) for name in ("one", "two"))
    await one.aput(("n",), "k", {"v": 1})
    await two.aput(("n",), "k", {"v": 2})

    assert (await one.aget(("n",), "k")).value == {"v": 1}
    assert [(item.namespace, item.value) for item in await two.asearch(())] == [(("n",), {"v": 2})]
    assert await two.alist_namespaces() == [("n",)]


async def test_a_store_of_another_embedding_model_is_refused(weaviate, items) -> None:
    await WeaviateStore(items, {}).aput(("n",), "k", {})
    other = WeaviateItems(weaviate, OtherEmbedder(), collection=items._name)

    with pytest.raises(CollectionMismatch, match=r"'lexical-hash-1024-v1'.*'other-2-v1'.* Set PERDURE_EMBEDDING back"):
        await WeaviateStore(other, {}).aget(("n",), "k")


# In a run


def remembering(_resources: Resources) -> Any:
    """Nodes that reach the store in each of LangGraph's ways."""

    async def keep(state: MessagesState, *, store: BaseStore) -> dict[str, Any]:
        await store.aput(("memories", "alice"), "one", {"text": state["messages"][-1].text, "money": Money(3)})
        await get_store().aput(("memories", "bob"), "two", {"text": "tea"})
        await store.adelete(("memories", "bob"), "never")
        return {}

    async def recall(_state: MessagesState, runtime: Runtime[Any]) -> dict[str, Any]:
        store = runtime.store
        alice = await store.aget(("memories", "alice"), "one")
        nobody = await store.aget(("memories", "alice"), "none")
        found = await store.asearch(("memories",), filter={"text": "tea"})
        named = await store.alist_namespaces(prefix=("memories",))
        said = [alice.value["text"], alice.value["money"].amount, nobody, [item.key for item in found], named]
        return {"messages": [("ai", repr(said))]}

    graph = StateGraph(MessagesState).add_node("keep", keep).add_node("recall", recall)
    return graph.add_edge(START, "keep").add_edge("keep", "recall")


@tool
def remember(text: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Remember a text."""
    store.put(("notes",), text, {"text": text})
    return f"remembered {text}"


@tool
async def recollect(query: str, runtime: ToolRuntime) -> str:
    """Say what was remembered."""
    found = await runtime.store.asearch(("notes",), filter={"text": query})
    same = await get_store().aget(("notes",), query)
    return f"{[item.key for item in found]} {same.value}"


def helper(resources: Resources) -> Any:
    """An agent, and a node that repeats what its tools said."""

    def repeat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [("ai", "; ".join(each.text for each in state["messages"] if each.type == "tool"))]}

    graph = StateGraph(MessagesState).add_node("agent", create_agent(resources.model(), resources.tools))
    return graph.add_node("repeat", repeat).add_edge(START, "agent").add_edge("agent", "repeat")


SCRIPT = [call("remember", text="tea"), call("recollect", query="tea"), AIMessage("done")]


async def test_nodes_use_the_store_as_in_plain_langgraph(bench, make_store, cached_workflows) -> None:
    agent = Agent("remembering", remembering, types=[Money])
    expected = await run_live(agent, "coffee", model=GREETING)

    result, history = await bench(agent, GREETING, store=make_store, cached=cached_workflows).run("coffee")

    assert result["output"] == output_of(expected)
    assert steps(history) == ["store"] * 7


async def test_each_step_says_what_it_does_to_which_item(bench, make_store) -> None:
    _, history = await bench(Agent("r", remembering, types=[Money]), GREETING, store=make_store).run("coffee")

    said = [json.loads(each.user_metadata.summary.data) for each in history.events if each.HasField("user_metadata")]
    assert said == [
        "put memories/alice/one",
        "put memories/bob/two",
        "delete memories/bob/never",
        "get memories/alice/one",
        "get memories/alice/none",
        "search memories",
        "list namespaces",
    ]


async def test_tools_use_the_live_store_as_in_plain_langgraph(bench, make_store, cached_workflows) -> None:
    agent = Agent("helper", helper, tools=[remember, recollect])
    expected = await run_live(agent, "remember", model=ScriptedModel(script=SCRIPT))

    made = bench(agent, ScriptedModel(script=SCRIPT), store=make_store, cached=cached_workflows)
    result, history = await made.run("remember")

    assert result["output"] == output_of(expected) == "remembered tea; ['tea'] {'text': 'tea'}"
    assert steps(history) == ["call_model", "remember", "call_model", "recollect", "call_model"]


async def test_two_runs_share_what_they_keep(bench, make_store) -> None:
    async def count(state: MessagesState, runtime: Runtime[Any]) -> dict[str, Any]:
        await runtime.store.aput(("seen",), state["messages"][-1].text, {})
        return {"messages": [("ai", f"{len(await runtime.store.asearch(('seen',)))} seen")]}

    agent = Agent("counting", lambda _resources: StateGraph(MessagesState).add_node("c", count).add_edge(START, "c"))
    made = bench(agent, GREETING, store=make_store)

    outputs = [(await made.run(question))[0]["output"] for question in ("one", "two", "two")]

    assert outputs == ["1 seen", "2 seen", "2 seen"]


async def test_a_worker_without_a_store_fails_the_run_with_the_remedy(bench) -> None:
    error = await failure_of(bench(Agent("remembering", remembering, types=[Money]), GREETING), "x")

    assert error.type == "NoStore"
    assert "PERDURE_WEAVIATE__URL" in error.message


async def test_a_weaviate_that_is_away_fails_the_run_and_is_named(bench) -> None:
    away = WeaviateConnection(url="http://127.0.0.1:1", grpc_host="127.0.0.1", grpc_port=2)
    agent = Agent("remembering", remembering, types=[Money], store_step=StepOptions(attempts=1))

    async with away.open() as weaviate:
        items = WeaviateItems(weaviate, LexicalEmbedder())
        made = bench(agent, GREETING, store=functools.partial(WeaviateStore, items))
        error = await failure_of(made, "x")

    assert error.type == "ServiceUnavailable"
    assert "http://127.0.0.1:1" in error.message


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda store: store.aput(("n",), "k", {"v": object()}), "n/k.v"),
        (lambda store: store.aput(("n",), "k", {}, ttl=1), "TTL is not supported"),
        (lambda store: store.asearch(("n",), filter={"v": {"$in": []}}), "Unsupported operator"),
    ],
    ids=["an unknown type", "ttl", "an operator"],
)
async def test_what_the_store_cannot_do_fails_the_run_at_once(bench, make_store, use, words) -> None:
    async def node(_state: MessagesState, runtime: Runtime[Any]) -> dict[str, Any]:
        await use(runtime.store)
        return {}

    agent = Agent("odd", lambda _resources: StateGraph(MessagesState).add_node("n", node).add_edge(START, "n"))
    error = await failure_of(bench(agent, GREETING, store=make_store), "x")

    assert words in error.message


async def test_a_synchronous_use_in_a_node_says_what_to_use(bench, make_store) -> None:
    def node(_state: MessagesState, runtime: Runtime[Any]) -> dict[str, Any]:
        runtime.store.put(("n",), "k", {})
        return {}

    agent = Agent("sync", lambda _resources: StateGraph(MessagesState).add_node("n", node).add_edge(START, "n"))
    error = await failure_of(bench(agent, GREETING, store=make_store), "x")

    assert "await store.aput()" in error.message
