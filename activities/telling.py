"""What a step tells its watchers while it is under way. Runs in activities, and in the processes of tools."""

from __future__ import annotations

import itertools
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessageChunk
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.events import encoded, namespace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import BaseMessage

    from activities.events import EventSink


class Teller:
    """Numbers the events of one attempt of a step. A step's id holds the execution's, which numbers its own anew."""

    def __init__(self, sink: EventSink, info: activity.Info) -> None:
        self._sink = sink
        self._run = info.workflow_id or ""
        self._activity = info.activity_type
        self._place = {"step": step_id(info.workflow_run_id or "", info.activity_id), "attempt": info.attempt}
        self._numbers = itertools.count(1)
        self.namespace: list[str] = []

    def begin(self) -> None:
        """What an earlier attempt has told is void: its worker may have died in the middle of a word."""
        if self._place["attempt"] != 1:
            self.tell("reset")
        self.tell("step", activity=self._activity, state="started")

    def tell(self, type_: str, **fields: Any) -> None:
        """From any thread."""
        inside = {"namespace": self.namespace} if self.namespace else {}
        self._sink.publish(self._run, encoded(self._run, type_, next(self._numbers), **self._place, **inside, **fields))

    def token(self, message: BaseMessage) -> None:
        """A piece of an answer, or the whole of one that was not streamed."""
        calls = message.tool_call_chunks if isinstance(message, AIMessageChunk) else getattr(message, "tool_calls", [])
        content = None if isinstance(message.content, str) else message.content
        text = message.text
        if text or calls or content:
            fields: dict[str, Any] = {"text": text}
            fields |= {"tool_calls": calls} if calls else {}
            fields |= {"content": content} if content else {}
            self.tell("token", message=message.id, **fields)

    def custom(self, value: Any) -> None:
        self.tell("custom", value=value)


def step_id(execution: str, activity_id: str) -> str:
    return f"{execution}/{activity_id}"


TELLER: ContextVar[Teller | None] = ContextVar("perdure_teller", default=None)
"""The step's, in its activity."""


class Written(list[Any]):
    """What a body gives to its stream writer: kept for the workflow, and told to watchers at once.

    `pushed` is what it writes to channels of the state beside what it gives back, as `push_message` does.
    """

    def __init__(self, metadata: dict[str, Any], tell: Callable[[Any], None] | None = None) -> None:
        super().__init__()
        self.pushed: list[tuple[str, Any]] = []
        self._tell = tell
        teller = TELLER.get()
        if tell is None and teller is not None:
            teller.namespace = namespace_of(metadata.get("langgraph_checkpoint_ns", ""))
            self._tell = teller.custom

    def append(self, value: Any) -> None:
        super().append(value)
        if self._tell is not None:
            self._tell(value)


class TellingInterceptor(Interceptor):
    """Gives each activity a `TELLER` that publishes to `sink`."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Telling(next, self._sink)


class _Telling(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, sink: EventSink) -> None:  # noqa: A002 - the SDK's name
        super().__init__(next)
        self._sink = sink

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        teller = Teller(self._sink, activity.info())
        TELLER.set(teller)
        teller.begin()
        return await self.next.execute_activity(input)
