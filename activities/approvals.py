"""What people decided of tool calls in a node that runs as an activity. Runs in activities.

A call that nobody has decided about yet ends the node, as an interrupt does. The run asks, and runs the node again.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolMessage
from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt
from pydantic import BaseModel, ConfigDict

from activities.wire import decode, encode
from agents.approving import judged, remarked
from agents.errors import ToolFailed
from agents.options import tool_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.tools import BaseTool

    from activities.wire import Types
    from agents.approval import Approval


class WantedApproval(BaseModel):
    """A call that is to be approved. `arguments` are those that the model chose, encoded."""

    model_config = ConfigDict(frozen=True)

    key: str
    tool: str
    arguments: dict[str, Any]


class Decided(BaseModel):
    """That a call was approved, with the encoded arguments in place of the model's where they were `edited`, or what
    is said of it instead.
    """

    model_config = ConfigDict(frozen=True)

    edited: dict[str, Any] | None = None
    rejected: str | None = None


@dataclass(frozen=True, slots=True)
class Decisions:
    """Those of a node so far, by the key of the call. `facts` are what rules see of the run."""

    made: Mapping[str, Decided] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


DECISIONS: ContextVar[Decisions] = ContextVar("perdure_decisions")
"""Of the node that is running."""


_CALL_ID: ContextVar[str | None] = ContextVar("perdure_node_call_id", default=None)
"""Of the model's call that a tool answers."""


@dataclass(frozen=True, slots=True)
class Approving:
    """What becomes of the calls of one tool."""

    tool: BaseTool
    types: Types
    approval: Approval

    @property
    def may_ask(self) -> bool:
        return self.approval.when != "never"

    def ask_where_undecided(self, key: str, arguments: dict[str, Any]) -> None:
        """Raises `GraphInterrupt` for a call that must be approved."""
        decisions, name = DECISIONS.get(), self.tool.name
        if key in decisions.made:
            return
        asks, _ = judged(self.approval, decisions.facts, name, tool_options(self.tool).effect, lambda: arguments)
        if asks:
            encoded = {each: encode(value, path=f"{name}.{each}") for each, value in arguments.items()}
            raise GraphInterrupt((Interrupt(WantedApproval(key=key, tool=name, arguments=encoded), id=key),))

    def rejection(self, key: str) -> tuple[Any] | None:
        """What is given in place of a result. Code that called the tool itself can't read that: it gets an error."""
        if (text := _decided(key).rejected) is None:
            return None
        if (call_id := _CALL_ID.get()) is None:
            raise ToolFailed(text)
        message = ToolMessage(text, tool_call_id=call_id, name=self.tool.name, status="error")
        return ((message, None) if self._has_artifact else message,)

    def edited(self, key: str) -> dict[str, Any]:
        edited: dict[str, Any] = decode(_decided(key).edited or {}, self.types)
        return edited

    def remarked(self, key: str, value: Any) -> Any:
        """Code that called the tool itself gets the result alone."""
        edited = _decided(key).edited
        if edited is None or _CALL_ID.get() is None:
            return value
        return remarked(value, edited, has_artifact=self._has_artifact)

    @property
    def _has_artifact(self) -> bool:
        return self.tool.response_format == "content_and_artifact"


def _decided(key: str) -> Decided:
    return DECISIONS.get().made.get(key, Decided())


def tell_bodies_the_call(tool: BaseTool) -> None:
    """LangChain does not say to them which call of the model they answer."""
    plain_run, plain_arun = tool.run, tool.arun

    def run(*args: Any, tool_call_id: str | None = None, **options: Any) -> Any:
        _CALL_ID.set(tool_call_id)
        return plain_run(*args, tool_call_id=tool_call_id, **options)

    async def arun(*args: Any, tool_call_id: str | None = None, **options: Any) -> Any:
        _CALL_ID.set(tool_call_id)
        return await plain_arun(*args, tool_call_id=tool_call_id, **options)

    object.__setattr__(tool, "run", run)
    object.__setattr__(tool, "arun", arun)
