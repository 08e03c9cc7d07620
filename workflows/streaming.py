"""What a graph and its subgraphs stream, to the watchers and to the journal of its run. Runs in workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langgraph.config import get_config
from langgraph.runtime import Runtime

from activities.wire import decode
from workflows.events import DEBUGGING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.runnables import RunnableConfig
    from langgraph.store.base import BaseStore
    from langgraph.types import StreamMode

    from activities.wire import Types
    from workflows.events import RunEvents
    from workflows.journal import Journal


def push(pushed: Sequence[tuple[str, Any]], types: Types) -> None:
    """Writes to the state beside what the node gives back, as `push_message` does, by another private key. What is
    `pushed` is encoded.
    """
    from langgraph._internal._constants import CONFIG_KEY_SEND  # noqa: PLC0415 -- see above

    if pushed:
        get_config()["configurable"][CONFIG_KEY_SEND]([(channel, decode(value, types)) for channel, value in pushed])


def streaming(events: RunEvents, journal: Journal, config: RunnableConfig, store: BaseStore | None) -> RunnableConfig:
    """`config` with which a graph tells `events` what it streams, and `journal` its supersteps, without a queue.

    LangGraph finds a surrounding graph's stream under private keys, and then takes the store from there as well. This
    function is the one place that sets them, and tests/unit/workflows/test_events.py fails when they move.
    """
    from langgraph._internal._constants import CONFIG_KEY_RUNTIME, CONFIG_KEY_STREAM  # noqa: PLC0415 -- see above
    from langgraph.pregel.protocol import StreamProtocol  # noqa: PLC0415 -- see above

    def told(chunk: tuple[tuple[str, ...], str, Any]) -> None:
        namespace, mode, value = chunk
        if mode != "checkpoints":
            events.streamed(chunk)
        elif not namespace:
            journal.planned(value)

    modes: set[StreamMode] = {"updates", "values", "tasks", "checkpoints"}
    if DEBUGGING.get():
        modes.add("debug")
    inside = {
        **config["configurable"],
        CONFIG_KEY_STREAM: StreamProtocol(told, modes),
        CONFIG_KEY_RUNTIME: Runtime(store=store, stream_writer=events.wrote),
    }
    return {**config, "configurable": inside}
