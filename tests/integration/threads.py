"""A thread to talk to, and a model that is as strict about a conversation as providers are."""

from __future__ import annotations

import asyncio
import threading
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import Field
from temporalio.client import WorkflowHandle, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from agents import durable
from agents.testing import ScriptedModel, call
from temporal.converter import payload_limits
from temporal.replay import replay_strictly
from tests.integration.conftest import PATIENCE, Bench
from workflows.turns import THREAD_WORKFLOW

PAUSE = 0.02


class Strict(ScriptedModel):
    """Does as it is told last: `use A B then C` calls A and B beside each other, then C. All else it answers."""

    script: list[AIMessage] = Field(default_factory=list)
    heard: list[list[str]] = Field(default_factory=list)

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        refuse_open_calls(messages)
        self.heard.append([message.text for message in messages])
        *_, asked = (place for place, message in enumerate(messages) if isinstance(message, HumanMessage))
        stages = messages[asked].text.removeprefix("use ").split(" then ")
        stage = sum(isinstance(message, AIMessage) for message in messages[asked:])
        if messages[asked].text.startswith("use ") and stage < len(stages):
            calls = [call(name, f"call-{len(messages)}-{name}").tool_calls[0] for name in stages[stage].split()]
            return AIMessage("", tool_calls=calls)
        return AIMessage(f"{len(messages)}: {messages[-1].text}")


def refuse_open_calls(messages: list[BaseMessage]) -> None:
    """As providers do: the answers of all calls follow the message that makes them."""
    for position, message in enumerate(messages):
        wanted = {each["id"] for each in getattr(message, "tool_calls", [])}
        following = messages[position + 1 : position + 1 + len(wanted)]
        answered = {each.tool_call_id for each in following if isinstance(each, ToolMessage)}
        if wanted != answered:
            raise AssertionError(f"400: calls {sorted(wanted - answered)} have no answer.")


class Gate:
    """A tool that stays until it is let go, on whatever thread it runs."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self._open = threading.Event()

        @tool
        async def stay() -> str:
            """Stay."""
            self.entered.append("stay")
            while not self._open.is_set():
                await asyncio.sleep(PAUSE)
            return "stayed"

        self.tool = stay

    def open(self) -> None:
        self._open.set()

    async def reached(self, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while len(self.entered) < times:
                await asyncio.sleep(PAUSE)


class Payment:
    """A tool that can be undone, and what was."""

    def __init__(self) -> None:
        self.undone: list[str] = []

        def undo(result: str, _key: str) -> None:
            self.undone.append(result)

        @durable(compensate=undo)
        @tool
        def pay() -> str:
            """Pay."""
            return "paid"

        self.tool = pay


@dataclass
class Talk:
    """What a client with nothing but Temporal's own library does."""

    made: Bench
    handle: WorkflowHandle[Any, Any]

    async def send(self, given: Any, **more: Any) -> dict[str, Any]:
        return await self.handle.execute_update("send", {"input": given, **more})

    async def say(self, given: Any, **more: Any) -> dict[str, Any]:
        """Sends a turn, and waits for its end."""
        turn = await self.send(given, wait=True, **more)
        return turn if turn["status"] not in {"running", "queued", "asking"} else await self.wait(turn["id"])

    async def wait(self, turn: str) -> dict[str, Any]:
        while (found := await self.handle.execute_update("wait", turn))["status"] in {"running", "queued", "asking"}:
            pass
        return found

    async def turns(self) -> list[dict[str, Any]]:
        return (await self.handle.query("turns"))["turns"]

    async def asked(self) -> list[dict[str, Any]]:
        """The questions, once there are some."""
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not (found := await self.handle.query("questions")):
                await asyncio.sleep(PAUSE)
        return found

    async def messages(self) -> list[str]:
        state = await self.handle.query("state")
        return [f"{message['type']}: {message['content']}" for message in state["values"]["messages"]]

    async def refused(self, given: Any, **more: Any) -> ApplicationError:
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await self.send(given, **more)
        assert isinstance(caught.value.cause, ApplicationError)
        return caught.value.cause

    async def close(self) -> Any:
        await self.handle.execute_update("close")
        return await self.handle.result()

    async def histories(self) -> list[WorkflowHistory]:
        """Those of all executions, each replayed strictly."""
        return await histories(self.made, self.handle)


async def histories(made: Bench, handle: WorkflowHandle[Any, Any]) -> list[WorkflowHistory]:
    found, run_id = [], handle.first_execution_run_id
    converter = made.client.data_converter
    limits = payload_limits(converter, most=made.settings.storage.largest)
    while run_id:
        history = await made.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        await replay_strictly(history, made.graphs, converter=converter, limits=limits)
        found.append(history)
        run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


async def begin(made: Bench, *, thread_id: str | None = None, **options: Any) -> Talk:
    started = await made.client.start_workflow(
        THREAD_WORKFLOW,
        {"agent": made.agent.name, **options},
        id=thread_id or f"thread-{uuid.uuid4().hex[:8]}",
        task_queue=made.settings.task_queue,
        execution_timeout=PATIENCE,
    )
    handle = made.client.get_workflow_handle(started.id, first_execution_run_id=started.first_execution_run_id)
    return Talk(made, handle)
