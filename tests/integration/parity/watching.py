"""Graphs that keep what they stream, so that a run in a workflow can be compared with one outside."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import groupby
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.pregel import Pregel
from langgraph.types import Command
from pydantic import BaseModel

from agents import Agent, Resources
from agents.graph import compiled_graph

MODES = ["updates", "values", "custom"]
GENERATED = re.compile(
    r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(-\d+)?|\d{4}-\d\d-\d\dT[\d:.]+\+00:00"
)
"""UUIDs, with the number that LangChain gives to answers that were not streamed; names of interrupts; times."""


@dataclass(frozen=True)
class Event:
    """What the graph, or the subgraph at `namespace`, has streamed. `value` is described, ids included."""

    namespace: tuple[str, ...]
    mode: str
    value: Any


Stream = list[Event]

STREAMS: dict[str, list[Stream]] = defaultdict(list)
"""By thread: a stream for each time that a run began, or was replayed from its beginning."""


def watched(agent: Agent) -> Agent:
    def build(resources: Resources) -> Any:
        graph = compiled_graph(agent, resources)
        kind = type(graph)
        watching = type(kind.__name__, (_Watching, kind), {})
        return watching(**{name: value for name, value in vars(graph).items() if name != "__orig_class__"})

    return replace(agent, build=build)


class _Watching(Pregel[Any, Any, Any, Any]):
    async def ainvoke(self, input: Any, config: Any = None, **options: Any) -> Any:  # noqa: A002 -- LangChain's name
        thread = config["configurable"]["thread_id"]
        if not isinstance(input, Command):
            STREAMS[thread].append([])
        state = await super().ainvoke(input, config, **options)
        STREAMS[thread][-1].append(Event((), "state", described(state)))
        return state

    async def astream(
        self,
        input: Any,  # noqa: A002 -- LangChain's name
        config: Any = None,
        *,
        stream_mode: Sequence[str] = (),
        **options: Any,
    ) -> AsyncIterator[Any]:
        """All that is streamed is kept, what was asked for is handed on."""
        stream = STREAMS[config["configurable"]["thread_id"]][-1]
        everything = super().astream(input, config, stream_mode=MODES, subgraphs=True, **options)
        async for namespace, mode, value in everything:
            stream.append(Event(namespace, mode, described(value)))
            if mode in stream_mode and not namespace:
                yield mode, value


def described(value: Any) -> Any:  # noqa: PLR0911 -- one line for each kind of value
    """Nested lists of names and texts that are equal where types and contents are."""
    match value:
        case str():
            return value
        case BaseMessage():
            given = {name: each for name, each in dict(value).items() if each not in (None, {}, [])}
            return [type(value).__name__, {name: described(each) for name, each in given.items()}]
        case BaseModel():
            return [type(value).__name__, {name: described(each) for name, each in dict(value).items()}]
        case dict():
            return {str(key): described(each) for key, each in value.items()}
        case list():
            return [described(each) for each in value]
        case tuple():
            return [type(value).__name__, *map(described, value)]
        case set() | frozenset():
            return [type(value).__name__, *sorted(map(described, value), key=repr)]
        case _ if is_dataclass(value) and not isinstance(value, type):
            inside = {each.name: described(getattr(value, each.name)) for each in fields(value)}
            return [type(value).__name__, inside]
        case _:
            return [type(value).__name__, repr(value)]


def without_ids(value: Any) -> Any:
    """The same with each generated id replaced by one word."""
    match value:
        case str():
            return GENERATED.sub("<id>", value)
        case dict():
            return {without_ids(key): without_ids(each) for key, each in value.items()}
        case list():
            return [without_ids(each) for each in value]
        case _:
            return value


def supersteps(stream: Stream) -> list[Any]:
    """What each graph and subgraph streamed, superstep by superstep, without ids.

    Inside a superstep the order is that in which nodes end, which in plain LangGraph is a matter of threads and luck.
    A superstep ends with the values of the state; those that come with a question come with each.
    """
    namespaces: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for event in stream:
        namespaces[event.namespace].append([event.mode, _with_questions_sorted(without_ids(event.value))])
    told = [
        [[part.partition(":")[0] for part in namespace], _in_steps(events)] for namespace, events in namespaces.items()
    ]
    return sorted(told, key=repr)


def _with_questions_sorted(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(asked := value.get("__interrupt__"), list):
        return value | {"__interrupt__": sorted(asked, key=repr)}
    return value


def _in_steps(events: list[Any]) -> list[Any]:
    return [
        each
        for ends, step in groupby(events, key=_ends_a_step)
        for each in (list(step) if ends else sorted(step, key=repr))
    ]


def _ends_a_step(event: Any) -> bool:
    mode, value = event
    return mode in ("values", "state") and not (isinstance(value, dict) and "__interrupt__" in value)
