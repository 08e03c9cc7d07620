"""`perdure messages`: a conversation as it was said, with what is summarised for the agent by now."""

from __future__ import annotations

import json
from textwrap import indent
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage

from activities.wire import dump_message
from temporal.client import open_agents

if TYPE_CHECKING:
    from temporal.settings import Settings
    from temporal.threads import Said


async def show_messages(settings: Settings, thread_id: str, *, as_json: bool) -> None:
    conversation = await (await (await open_agents(settings)).find_thread(thread_id)).messages()
    if as_json:
        told = [{"kind": said.kind, "message": dump_message(said.message)} for said in conversation]
        print(json.dumps(told, ensure_ascii=False, indent=2))  # noqa: T201 -- what was asked for
        return
    for said in conversation:
        print(f"{_headed(said)}\n{indent(_text(said), '  ')}\n")  # noqa: T201


def _headed(said: Said) -> str:
    kind = "" if said.kind == "said" else f", {said.kind}"
    name = f" {said.message.name}" if said.message.name else ""
    return f"{said.message.type}{name}{kind}:"


def _text(said: Said) -> str:
    calls = said.message.tool_calls if isinstance(said.message, AIMessage) else []
    told = [f"{call['name']}({json.dumps(call['args'], ensure_ascii=False)})" for call in calls]
    return "\n".join(filter(None, [said.message.text, *told]))
