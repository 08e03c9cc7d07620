"""Operations cross the boundary whole, and what no store can do is refused before they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore
from temporalio.testing import ActivityEnvironment

from activities.store import StoreRequest, StoreResponse, Stores, checked, op_of, operation_of
from activities.weaviate_store import WeaviateStore
from activities.wire import decode, types_in
from agents import Agent, Registry
from agents.errors import NoStore


@dataclass(frozen=True)
class Money:
    amount: int


AGENT = Agent("shop", lambda _resources: None, types=[Money])  # type: ignore[arg-type, return-value]
OPS = [
    GetOp(("a", "b"), "k"),
    PutOp(("a",), "k", {"money": Money(3), "pair": (1, 2)}, index=["money"]),
    PutOp(("a",), "k", {"x": 1}, index=False),
    PutOp(("a",), "k", None),
    SearchOp(("a",), {"money": Money(3)}, 7, 2, "query"),
    SearchOp((), None, 10, 0, None),
    ListNamespacesOp((MatchCondition("prefix", ("a", "*")),), 2, 5, 1),
]


@pytest.mark.parametrize("op", OPS, ids=lambda op: type(op).__name__)
def test_an_operation_crosses_whole(op) -> None:
    request = StoreRequest(agent="shop", operations=[operation_of(op)])

    [crossed] = StoreRequest.model_validate_json(request.model_dump_json()).operations

    assert op_of(crossed, types_in([Money])) == op


async def run(stores: Stores, *ops: Any) -> StoreResponse:
    request = StoreRequest(agent="shop", operations=[operation_of(op) for op in ops])
    response = await ActivityEnvironment().run(stores.store, request)
    return StoreResponse.model_validate_json(response.model_dump_json())


async def test_the_results_stand_in_the_order_of_the_operations() -> None:
    store = InMemoryStore()
    stores = Stores(registry=Registry.of([AGENT]), make=lambda _types, _root: store)
    await run(stores, PutOp(("a",), "k", {"money": Money(3)}))

    found, nothing, items, namespaces = (
        await run(stores, GetOp(("a",), "k"), GetOp(("a",), "l"), SearchOp(("a",)), ListNamespacesOp())
    ).results

    assert decode(found.value, types_in([Money])) == {"money": Money(3)}
    assert nothing is None
    assert [item.key for item in items] == ["k"]
    assert namespaces == [("a",)]


async def test_a_worker_without_a_store_says_so() -> None:
    with pytest.raises(NoStore, match="PERDURE_WEAVIATE__URL"):
        await run(Stores(registry=Registry.of([AGENT])), GetOp(("a",), "k"))


@pytest.mark.parametrize(
    ("op", "error", "words"),
    [
        (PutOp(("a",), "k", {}, ttl=5), NotImplementedError, "no `ttl`"),
        (SearchOp(("a",), {"x": {"$in": [1]}}), ValueError, "Unsupported operator"),
        (GetOp(("a.b",), "k"), InvalidNamespaceError, "periods"),
    ],
)
def test_what_no_attempt_could_do_is_refused_at_once(op, error, words) -> None:
    with pytest.raises(error, match=words):
        checked([op])


async def test_the_store_cannot_be_waited_for_on_its_own_loop() -> None:
    with pytest.raises(NotImplementedError, match=r"use `await store\.aput\(\)`"):
        WeaviateStore(None, {}).get(("a",), "k")  # type: ignore[arg-type]
