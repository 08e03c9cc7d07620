"""Stands in for what the agent's steps would do: made-up answers in place of tools' and nodes' bodies, a retriever that
finds one document, a store in memory. Runs in activities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_origin

from langchain_core.documents import Document
from langgraph.types import Command
from temporalio import activity
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.effects import EffectRequest, EffectResponse
from activities.model import ModelRequest
from activities.node import NodeRequest, NodeResponse
from activities.retrieval import RETRIEVE, RetrievalRequest, RetrievalResponse
from activities.tool import ToolRequest, ToolResponse
from activities.wire import encode, hints_of
from agents.graph import function_of
from temporal.checking.examples import FORMATS, TEXT, of_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.tools import BaseTool
    from pydantic import BaseModel

    from temporal.checking.building import Subject
    from temporal.checking.record import Script


@activity.defn(name=RETRIEVE)
async def retrieve(request: RetrievalRequest) -> RetrievalResponse:
    text = f"This is a made-up passage of {request.collection}."
    place = {"document": "example", "source": "example", "section": "Example", "start": 0, "end": len(text)}
    metadata = {**place, "score": 1.0}
    return RetrievalResponse(documents=[Document(id=FORMATS["uuid"], page_content=text, metadata=metadata)])


class Canned:
    """What is called, and what it is answered."""

    def __init__(self, subject: Subject, script: Script, *, run_tools: bool) -> None:
        self._registry = subject.registry
        self._graphs = subject.graphs
        self._script = script
        self._run_tools = run_tools
        self.models: list[str] = []
        self.made_up: list[str] = []

    def answer(self, name: str, request: Any) -> BaseModel | None:
        """`None` where the step is to be carried out."""
        match request:
            case ModelRequest():
                self.models.append(request.model)
                return None
            case ToolRequest() if name in self._script.tools or not self._run_tools:
                self.made_up.append(name)
                return ToolResponse(value=encode(self._of_tool(self._registry[request.agent].tool(request.tool))))
            case NodeRequest() if name in self._script.tools or not self._run_tools:
                self.made_up.append(name)
                return NodeResponse(value=encode(self._of_node(name, request)))
            case EffectRequest() if name in self._script.tools or not self._run_tools:
                self.made_up.append(name)
                return EffectResponse()
            case _:
                return None

    def _of_tool(self, tool: BaseTool) -> Any:
        if tool.name in self._script.tools:
            value = self._script.tools[tool.name]
        else:
            body = getattr(tool, "coroutine", None) or getattr(tool, "func", None) or getattr(tool, "_run", None)
            value = _made_up(hints_of(body), TEXT)
        is_pair = isinstance(value, (tuple, list)) and len(value) == 2  # noqa: PLR2004 -- content and artifact
        if tool.response_format == "content_and_artifact" and not is_pair:
            return (value, None)
        return tuple(value) if tool.response_format == "content_and_artifact" else value

    def _of_node(self, name: str, request: NodeRequest) -> Any:
        if name in self._script.tools:
            return self._script.tools[name]
        part = self._graphs.parts[request.agent][request.node]
        return _made_up(hints_of(function_of(part.bound)), None if part.is_task else self._message(request))

    def _message(self, request: NodeRequest) -> dict[str, Any] | None:
        """One more, where the graph's state is a conversation: what comes next looks at the last one, as a rule."""
        builder = getattr(self._graphs.compiled[request.agent], "builder", None)
        hints = hints_of(builder.state_schema) if builder and request.node in builder.nodes else {}
        return {"messages": of_type(hints["messages"])} if get_origin(hints.get("messages")) is Annotated else None


def _made_up(hints: Mapping[str, Any], otherwise: Any) -> Any:
    """By the annotation of what is returned, where it says enough."""
    try:
        value = of_type(hints["return"])
    except (LookupError, TypeError, ValueError):
        return otherwise
    return otherwise if isinstance(value, Command) else value


class CannedInterceptor(ClientInterceptor, Interceptor):
    """On a client, it serves the client's workers."""

    def __init__(self, canned: Canned) -> None:
        self._canned = canned

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 -- the SDK's name
        canned = self._canned

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 -- the SDK's name
                answer = canned.answer(activity.info().activity_type, input.args[0])
                return await super().execute_activity(input) if answer is None else answer

        return Inbound(next)
