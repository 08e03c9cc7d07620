"""Agents with one kind of defect each, for `perdure check` to find. A comment `# here: NAME` marks the line."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import itertools
import logging
import operator
import os
import random
import socket
import threading
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

from agents import Agent, Compaction, Resources, StepOptions

log = logging.getLogger(__name__)
counted: Counter[str] = Counter()
built = itertools.count()
WORDS = ("beech", "birch", "maple", "oak", "pine")


class Notes(TypedDict, total=False):
    path: Annotated[list[Any], operator.add]
    thing: Any


def chain(*nodes: Any, schema: Any = Notes) -> Any:
    graph = StateGraph(schema)
    for before, node in zip([None, *nodes], nodes, strict=False):
        graph.add_node(node.__name__, node)
        graph.add_edge(before.__name__ if before else START, node.__name__)
    return graph


def of_nodes(name: str, *nodes: Any) -> Agent:
    return Agent(name, lambda _resources: chain(*nodes))


# Another answer each time


def roll(_state: Notes) -> Any:
    return {"path": [random.random()]}  # noqa: S311 -- here: roll


def pick(_state: Notes) -> Any:
    return {"path": [random.choice(WORDS)]}  # noqa: S311 -- here: pick


def identify(_state: Notes) -> Any:
    return {"path": [str(uuid.uuid4())]}  # here: identify


def date(_state: Notes) -> Any:
    today = f"{datetime.now(UTC):%Y}"  # here: date
    return {"path": [today]}


def order(_state: Notes) -> Any:  # here: order
    return {"path": list(set(WORDS))}


def count(_state: Notes) -> Any:  # here: count
    counted["runs"] += 1
    return {"path": [counted["runs"]]}


def steady(_state: Notes) -> Any:
    log.warning("a record has a time, which no state does")
    with contextlib.suppress(SyntaxError):
        ast.literal_eval("[1, 2")  # Python looks for a file `<unknown>` to show the line of the error
    drawn = random.Random(7).random()  # noqa: S311 -- seeded, and so steady
    return {"path": [drawn, sorted({"a", "b"}), len(os.environ["PATH"]) > 0]}  # here: steady


def configure(_state: Notes) -> Any:
    return {"path": [os.environ.get("HOME")]}  # here: configure


def default(_state: Notes) -> Any:
    return {"path": [os.getenv("NO_SUCH_VARIABLE", "none")]}  # here: default


def look(_state: Notes) -> Any:
    return {"path": [Path("/etc/hostname").exists()]}  # here: look


def start(_state: Notes) -> Any:  # here: start
    return {"path": ["start"]}


def after(_state: Notes) -> Any:
    return {"path": ["after"]}


def swallow(_state: Notes) -> Any:
    with contextlib.suppress(Exception):
        socket.create_connection(("127.0.0.1", 9))  # here: swallow
    return {"path": ["swallowed"]}


def at_once(resources: Resources) -> Any:
    async def ask(_state: Notes) -> Any:
        words = list(set(WORDS))
        await resources.model().ainvoke(" ".join(words))  # here: ask
        return {"path": [len(words)]}

    graph = StateGraph(Notes)
    for node in (roll, pick, identify, date, order, count, steady, configure, default, look, start, swallow, ask):
        graph.add_node(node.__name__, node)
        graph.add_edge(START, node.__name__)
    for word in WORDS:
        graph.add_node(word, after)
    return graph.add_conditional_edges("start", lambda _state: next(iter(set(WORDS))), list(WORDS))


unsteady = Agent("unsteady", at_once)


def stamp(left: list[Any], right: list[Any]) -> list[Any]:
    return [*left, *right, time.time()]  # here: stamp


class Stamped(TypedDict, total=False):
    path: Annotated[list[Any], stamp]


def begin(_state: Stamped) -> Any:
    return {"path": ["begun"]}


stamping = Agent("stamping", lambda _resources: chain(begin, schema=Stamped))


# What the guard stops


def read(_state: Notes) -> Any:
    with open(os.path.join("/etc", "hostname")) as file:  # noqa: PTH118, PTH123 -- here: read
        return {"path": [file.read()]}


blocking = of_nodes("blocking", read, after)


# What does not end, or not well


def wait(_state: Notes) -> Any:
    threading.Lock().acquire() and threading.Event().wait(3_600)  # here: wait
    return {"path": []}


waiting = of_nodes("waiting", wait)


def spin(_state: Notes) -> Any:
    while True:
        len(WORDS)


spinning = of_nodes("spinning", spin)


async def sleep(_state: Notes) -> Any:
    await asyncio.sleep(3_600)
    return {"path": []}


sleeping = of_nodes("sleeping", sleep)


def fail(_state: Notes) -> Any:
    raise KeyError("no such order")  # here: fail


# What can't be built, or carried


class Thing:
    pass


def keep(_state: Notes) -> Any:  # here: keep
    return {"thing": Thing()}


keeping = of_nodes("keeping", keep)


def changing(_resources: Resources) -> Any:  # here: changing
    name = f"node-{next(built)}"
    return StateGraph(Notes).add_node(name, fail).set_entry_point(name)


def broken(_resources: Resources) -> Any:
    raise FileNotFoundError("no prompts.yaml")


rebuilding = Agent("rebuilding", changing)
unbuilt = Agent("unbuilt", broken)


# Nothing wrong


class Order(BaseModel):
    article: str
    amount: int


@tool
def look_up(article: str, *, limit: int = 3) -> list[Order]:
    """Look an article up."""
    raise AssertionError(f"carried out for {article} {limit}")


@tool
def buy(orders: list[Order]) -> str:
    """Buy."""
    raise AssertionError(f"carried out for {orders}")


def shop(resources: Resources) -> Any:
    from langchain.agents import create_agent  # noqa: PLC0415 -- needed by this agent alone

    def approve(_state: MessagesState) -> Any:
        return {"messages": [("ai", f"approved: {interrupt('Buy it?')}")]}

    def fetch(_state: MessagesState) -> Any:
        raise AssertionError("carried out")

    graph = StateGraph(MessagesState)
    graph.add_node("shopper", create_agent(resources.model(), resources.tools))
    graph.add_node("approve", approve)
    graph.add_node("fetch", fetch, metadata={"execute_in": "activity"})
    graph.add_node("complain", after)
    graph.add_edge(START, "shopper")
    graph.add_edge("shopper", "approve")
    graph.add_conditional_edges("approve", lambda _state: "fetch", ["fetch", "complain"])
    return graph.add_edge("fetch", END)


clean = Agent("clean", shop, tools=[look_up, buy], tool_step=StepOptions(attempts=1))


def summarize(resources: Resources) -> Any:
    async def ask(_state: MessagesState) -> Any:
        return {"messages": [await resources.model().ainvoke("word " * 450_000)]}

    return StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask")


large = Agent("large", summarize, compaction=Compaction(tokens=100_000))
