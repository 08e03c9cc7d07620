"""Retries, time limits, caches, stores and limits of graphs."""

import asyncio
from typing import Any, TypedDict

from langchain_core.runnables import RunnableLambda
from langgraph.cache.memory import InMemoryCache
from langgraph.config import get_store, get_stream_writer
from langgraph.errors import NodeError
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import CachePolicy, Command, RetryPolicy

from tests.integration.parity.case import Case
from tests.integration.parity.edges import branching
from tests.integration.parity.graphs import EMPTY, Totals, going_through, on_path

SOON = {"initial_interval": 0.01, "jitter": False}


def retried(_resources: Any) -> Any:
    async def third_time(_state: Totals, runtime: Runtime) -> dict[str, Any]:
        if runtime.execution_info.node_attempt < 3:
            raise ConnectionError("not yet")
        return {"path": [f"attempt {runtime.execution_info.node_attempt}"]}

    graph = StateGraph(Totals).add_edge(START, "node")
    return graph.add_node("node", third_time, retry_policy=RetryPolicy(max_attempts=3, **SOON))


def retried_in_vain(_resources: Any) -> Any:
    def fail(_state: Totals) -> None:
        raise ConnectionError("never")

    graph = StateGraph(Totals).add_edge(START, "node")
    return graph.add_node("node", fail, retry_policy=RetryPolicy(max_attempts=2, **SOON))


def not_retried(_resources: Any) -> Any:
    """The policy is for another error, and the second of two policies decides."""

    def fail(_state: Totals, runtime: Runtime) -> None:
        raise KeyError(f"attempt {runtime.execution_info.node_attempt}")

    policies = [RetryPolicy(retry_on=ConnectionError, **SOON), RetryPolicy(retry_on=KeyError, max_attempts=2, **SOON)]
    return StateGraph(Totals).add_edge(START, "node").add_node("node", fail, retry_policy=policies)


def retried_runnable(_resources: Any) -> Any:
    """LangChain's own retries, which wait for random times, and its fallback."""

    async def fail(_state: Totals) -> None:
        get_stream_writer()("failed")
        raise ConnectionError("never")

    short = {"initial": 0.01, "jitter": 0.01}
    trying = RunnableLambda(fail).with_retry(stop_after_attempt=3, exponential_jitter_params=short)
    return going_through(Totals, trying.with_fallbacks([RunnableLambda(on_path("fallback"))]))


def too_slow(_resources: Any) -> Any:
    async def sleep(_state: Totals) -> None:
        await asyncio.sleep(30)

    return StateGraph(Totals).add_edge(START, "node").add_node("node", sleep, timeout=0.2)


def in_time(_resources: Any) -> Any:
    async def nap(_state: Totals) -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"path": ["woke"]}

    return StateGraph(Totals).add_edge(START, "node").add_node("node", nap, timeout=30)


def handled(_resources: Any) -> Any:
    """An error handler takes the place of the node that failed."""

    def fail(_state: Totals) -> None:
        raise ValueError("broken")

    graph = StateGraph(Totals).add_node("node", fail, error_handler=on_path("handled"))
    return graph.add_edge(START, "node").add_node("after", on_path("after")).add_edge("node", "after")


def of_all_nodes(_resources: Any) -> Any:
    """Retries and a handler that the graph has for all its nodes; the handler says where to go on."""

    def fail(_state: Totals, runtime: Runtime) -> None:
        raise ConnectionError(f"attempt {runtime.execution_info.node_attempt}")

    def handle(_state: Totals, error: NodeError) -> Command:
        return Command(update={"path": [f"{error.node}: {error.error!r}"]}, goto="end")

    graph = StateGraph(Totals)
    graph.set_node_defaults(retry_policy=RetryPolicy(max_attempts=2, **SOON), error_handler=handle)
    return graph.add_node("node", fail).add_node("end", on_path("end")).add_edge(START, "node")


def cached(_resources: Any) -> Any:
    """The second of two equal calls comes from the cache, whose node writes nothing to the stream."""

    async def slow(state: Totals, runtime: Runtime) -> dict[str, Any]:
        runtime.stream_writer("worked")
        return {"numbers": [len(state["path"])]}

    graph = StateGraph(Totals)
    policy = CachePolicy(key_func=lambda _state: "same", ttl=60)
    graph.add_node("slow", slow, cache_policy=policy).add_node("again", on_path("again"))
    graph.add_edge(START, "slow").add_edge("slow", "again")
    graph.add_conditional_edges("again", lambda state: "slow" if len(state["path"]) < 3 else "__end__")
    return graph.compile(cache=InMemoryCache())


def endless(_resources: Any) -> Any:
    return StateGraph(Totals).add_node("again", on_path("x")).add_edge(START, "again").add_edge("again", "again")


def failing(_resources: Any) -> Any:
    def fail(state: Totals) -> None:
        raise LookupError(f"nothing after {state['path']}")

    return going_through(Totals, on_path("before"), fail)


def misrouted(_resources: Any) -> Any:
    return StateGraph(Totals).add_node("a", on_path("a")).add_edge(START, "a").add_conditional_edges("a", lambda _: "b")


def contradicting(_resources: Any) -> Any:
    """Two nodes of one superstep write what has no reducer."""

    class Single(TypedDict):
        value: str

    graph = StateGraph(Single)
    for name in "ab":
        graph.add_node(name, lambda _state, name=name: {"value": name}).add_edge(START, name)
    return graph


def storing(_resources: Any) -> Any:
    async def keep(_state: Totals, runtime: Runtime) -> dict[str, Any]:
        for number in range(4):
            await runtime.store.aput(("parity", "graph"), f"key-{number}", {"number": number, "even": not number % 2})
        await runtime.store.adelete(("parity", "graph"), "key-3")
        return {"path": ["kept"]}

    async def find(_state: Totals) -> dict[str, Any]:
        store = get_store()
        found = await store.asearch(("parity",), filter={"even": True})
        one = await store.aget(("parity", "graph"), "key-1")
        gone = await store.aget(("parity", "graph"), "key-3")
        spaces = await store.alist_namespaces(prefix=("parity", "graph"))
        return {"numbers": sorted(item.value["number"] for item in found), "path": [f"{one.value} {gone} {spaces}"]}

    return going_through(Totals, keep, find)


CASES = [
    Case("retried", retried, EMPTY),
    Case("retried-in-vain", retried_in_vain, EMPTY, fails="ConnectionError"),
    Case("retried-by-class", not_retried, EMPTY, fails="KeyError"),
    Case("retried-runnable", retried_runnable, EMPTY),
    Case("too-slow", too_slow, EMPTY, fails="NodeTimeoutError"),
    Case("in-time", in_time, EMPTY),
    Case("error-handler", handled, EMPTY),
    Case("policies-of-all-nodes", of_all_nodes, EMPTY),
    Case("cached", cached, EMPTY),
    Case("recursion-limit", endless, EMPTY, options={"recursion_limit": 7}, fails="GraphRecursionError"),
    Case("failing-node", failing, EMPTY, fails="LookupError"),
    Case("misrouted", misrouted, EMPTY),
    Case("contradicting", contradicting, {"value": ""}, fails="InvalidUpdateError"),
    Case("store-in-nodes", storing, EMPTY),
    Case("in-the-limit", branching, EMPTY, options={"recursion_limit": 6}),
]
