"""Whether a call of a tool must be approved, and what the model is told of arguments that a person changed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolMessage
from langgraph.types import Command

from agents.errors import PerdureError
from agents.exchange import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agents.approval import Approval


def judged(
    approval: Approval, facts: Mapping[str, Any], tool: str, effect: str, arguments: Callable[[], Any]
) -> tuple[bool, dict[str, str]]:
    """Whether a person must be asked, and what the question says of the reason. What goes wrong asks."""
    if (rule := approval.rule) is None:
        return approval.when == "always", {}
    try:
        told = {"tool": tool, "arguments": plain(arguments(), "arguments"), "effect": effect}
        asks, fault = rule.asks({**facts, **told})
    except PerdureError as error:
        asks, fault = True, str(error)
    return asks, {"rule": rule.text, **({"rule_failed": fault} if fault else {})}


def remarked(value: Any, edited: Any, *, has_artifact: bool) -> Any:
    """The result, with a word on the arguments that a person put in place of those which the model remembers."""
    remark = f"A person changed the arguments before this call was carried out, to {shown(edited)}."
    if has_artifact and isinstance(value, (list, tuple)):
        content, *artifact = value
        return (_with_remark(content, remark), *artifact)
    return _with_remark(value, remark)


def _with_remark(content: Any, remark: str) -> Any:
    """`content` as LangChain would write it into the message, and the remark after it."""
    match content:
        case ToolMessage():
            return content.model_copy(update={"content": _with_remark(content.content, remark)})
        case Command(update={"messages": [*messages], **others}):
            marked = [_with_remark(each, remark) if isinstance(each, ToolMessage) else each for each in messages]
            return replace(content, update={**others, "messages": marked})
        case Command():
            return content
        case [*blocks] if all(isinstance(block, (str, dict)) for block in blocks):
            return [*blocks, {"type": "text", "text": remark}]
        case _:
            return f"{content if isinstance(content, str) else shown(content)}\n\n{remark}"


def shown(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)
