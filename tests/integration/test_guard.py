"""Whatever I/O a node does in a workflow is refused, with the node's name, the line, and what to do."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph.graph import MessagesState, StateGraph

from agents import Agent, Resources
from tests.integration.test_agent_workflow import GREETING, failure_of

NOWHERE = "http://127.0.0.1:9/"


def write(_state: Any) -> Any:
    Path("/tmp/x").write_text("x")  # noqa: S108 -- it never comes to it


def read_bytes(_state: Any) -> Any:
    return open(b"/etc/hostname")  # noqa: PTH123 -- as authors do


def list_folder(_state: Any) -> Any:
    return os.listdir("/")  # noqa: PTH208 -- as authors do


def connect(_state: Any) -> Any:
    return socket.create_connection(("127.0.0.1", 9))


def resolve(_state: Any) -> Any:
    return socket.gethostbyname("localhost")


def request(_state: Any) -> Any:
    return httpx.get(NOWHERE)


async def request_later(_state: Any) -> Any:
    async with httpx.AsyncClient() as client:
        return await client.get(NOWHERE)


async def connect_later(_state: Any) -> Any:
    return await asyncio.open_connection("127.0.0.1", 9)


async def call_program_later(_state: Any) -> Any:
    return await asyncio.create_subprocess_exec(sys.executable)


def call_program(_state: Any) -> Any:
    return subprocess.run([sys.executable, "-c", ""], check=False)


def sleep(_state: Any) -> Any:
    time.sleep(3)


def start_thread(_state: Any) -> Any:
    threading.Thread(target=print).start()


def use_pool(_state: Any) -> Any:
    with ThreadPoolExecutor() as pool:
        return pool.submit(print).result()


async def read_in_thread(_state: Any) -> Any:
    return await asyncio.to_thread(Path("/etc/hostname").read_text)


async def sleep_in_thread(_state: Any) -> Any:
    return await asyncio.to_thread(lambda: time.sleep(3))


def ask(_state: Any) -> Any:
    return input("Sure? ")


REFUSED = {
    write: "open('/tmp/x')",
    read_bytes: "open('/etc/hostname')",
    list_folder: "os.listdir()",
    connect: "socket.getaddrinfo()",
    resolve: "socket.gethostbyname()",
    request: "socket.getaddrinfo()",
    request_later: "asynchronous I/O",
    connect_later: "asynchronous I/O",
    call_program_later: "asynchronous I/O",
    call_program: "subprocess.Popen()",
    sleep: "time.sleep(3)",
    start_thread: "start a thread",
    use_pool: "start a thread",
    read_in_thread: "open('/etc/hostname')",
    sleep_in_thread: "time.sleep(3)",
    ask: "input()",
}


def of_node(node: Any) -> Agent:
    return Agent(
        "guarded", lambda _resources: StateGraph(MessagesState).add_node("careless", node).set_entry_point("careless")
    )


@pytest.mark.parametrize("node", REFUSED, ids=lambda node: node.__name__)
async def test_what_a_node_does_is_refused_by_name_and_line(bench, node) -> None:
    error = await failure_of(bench(of_node(node), GREETING), "x")

    assert error.type == "BlockingCall"
    assert error.message.startswith("Node 'careless' ")
    assert REFUSED[node] in error.message
    assert f"({__file__}:" in error.message
    first = node.__code__.co_firstlineno
    line = int(error.message.partition(f"({__file__}:")[2].partition(")")[0])
    assert first < line <= first + 3
    assert "Move it to a tool" in error.message or "asyncio.sleep" in error.message


def read_environment(_state: Any) -> Any:
    return {"messages": [("ai", os.environ["PATH"])]}


def invoke_a_graph(_state: Any) -> Any:
    inner = StateGraph(MessagesState).add_node("say", lambda _state: {"messages": [("ai", "inner")]})
    return inner.set_entry_point("say").compile().invoke({"messages": []})


@pytest.mark.parametrize("node", [read_environment, invoke_a_graph], ids=lambda node: node.__name__)
async def test_the_environment_and_graphs_that_are_called_synchronously_are_let_be(bench, node) -> None:
    result, _ = await bench(of_node(node), GREETING).run("x")

    assert result["output"] in {os.environ["PATH"], "inner"}


EXISTING = """
import httpx


def request(_state):
    return httpx.get("http://127.0.0.1:9/")  # here


async def request_later(_state):
    async with httpx.AsyncClient() as client:
        return await client.get("http://127.0.0.1:9/")  # here
"""


@pytest.fixture
def existing(tmp_path, monkeypatch) -> Any:
    """A module in a package of its own, as of graphs that were there before their agent was."""
    (tmp_path / "existing_graph.py").write_text(EXISTING)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "existing_graph", raising=False)
    return importlib.import_module("existing_graph")


def line_named(module: Any, function: str) -> str:
    start = EXISTING.index(f"def {function}(")
    return f"({module.__file__}:{EXISTING[: EXISTING.index('# here', start)].count(chr(10)) + 1})"


@pytest.mark.parametrize("name", ["request", "request_later"])
async def test_the_line_is_that_of_the_graph_and_of_no_library_wherever_the_agent_is_made(
    bench, existing, name
) -> None:
    error = await failure_of(bench(of_node(getattr(existing, name)), GREETING), "x")

    assert error.message.startswith("Node 'careless' did ")
    assert line_named(existing, name) in error.message


@pytest.mark.parametrize("name", ["request", "request_later"])
async def test_an_edge_is_told_from_a_node_that_is_an_activity(bench, existing, name) -> None:
    def build(_resources: Resources) -> Any:
        graph = StateGraph(MessagesState).add_node("fetch", lambda _state: {}, metadata={"execute_in": "activity"})
        return graph.set_entry_point("fetch").add_conditional_edges("fetch", getattr(existing, name), ["fetch"])

    error = await failure_of(bench(Agent("guarded", build), GREETING), "x")

    assert error.type == "BlockingCall"
    assert error.message.startswith("An edge from node 'fetch' did ")
    assert line_named(existing, name) in error.message
    assert "let a node do it, and the edge read what that wrote" in error.message
