"""People answer what runs ask: from the command line, from Python, and by what the web UI's form sends."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from temporalio.client import Client, WorkflowHandle

from agents import Agent, Approval, Resources, durable
from agents.testing import ScriptedModel
from temporal.converter import DATA_CONVERTER
from temporal.inbox import AnswerRefused, answer, decisions, list_waiting
from temporal.settings import Settings, WorkerSettings
from tests.acceptance.conftest import Finished, Place
from tests.integration.conftest import Bench
from tests.integration.test_agent_workflow import questions_of
from tests.integration.test_questions import Told, until_listed


@durable(approve=Approval("arguments.amount > 100", approvers=["anna", "finance"]))
@tool
def refund(amount: int) -> str:
    """Pay money back."""
    return f"{amount} paid back"


def build(resources: Resources) -> Any:
    async def pay(_state: Told) -> dict[str, Any]:
        return {"told": [await resources.tools[0].ainvoke({"amount": 500})]}

    graph = StateGraph(Told).add_node("pay", pay).add_node("ask", lambda _: {"told": [interrupt("Your name?")]})
    return graph.add_edge(START, "pay").add_edge("pay", "ask")


@dataclass
class Desk:
    place: Place
    made: Bench

    async def begin(self) -> tuple[WorkflowHandle[Any, Any], dict[str, Any]]:
        """A run that waits for an approval, and is listed so."""
        handle = await self.made.start({"told": []})
        [question] = await questions_of(handle)
        await until_listed(self.made, handle.id)
        return handle, question

    async def perdure(self, *arguments: str) -> Finished:
        return await self.place.call("perdure", *arguments, COLUMNS="200")


@pytest.fixture
async def desk(place: Place) -> AsyncIterator[Desk]:
    client = await Client.connect(place.target.address, data_converter=DATA_CONVERTER)
    settings = Settings(task_queue=f"desk-{uuid.uuid4().hex[:8]}", worker=WorkerSettings(cached_workflows=0))
    made = Bench(client, Agent("till", build, tools=[refund]), ScriptedModel(script=[]), settings, [])
    async with made.worker():
        yield Desk(place, made)


async def test_an_inbox_is_worked_off_in_a_terminal(desk: Desk) -> None:
    handle, question = await desk.begin()

    inbox = await desk.perdure("inbox")
    others = await desk.perdure("inbox", "--for", "bob")
    refused = await desk.perdure("approve", handle.id, "--by", "bob")
    approved = await desk.perdure(
        "approve", handle.id, question["id"][:6], "--by", "carol", "--by", "finance", "--arguments", '{"amount": 50}'
    )
    late = await desk.perdure("reject", handle.id, question["id"], "--by", "anna")
    answered = await desk.perdure("answer", handle.id, "Ada Lovelace", "--by", "dave")
    result = await handle.result()
    over = await desk.perdure("answer", handle.id, "again")

    [line] = [line for line in inbox.output.splitlines() if handle.id in line]
    assert ["till", "refund(amount=500)", question["id"][:8]] == line.split()[1:4]
    assert "anna, finance" in line
    assert handle.id not in others.output
    assert (refused.code, refused.errors.strip()) == (
        2,
        f"Question {question['id']!r} is decided by 'anna' or 'finance', and not by 'bob'.",
    )
    assert (approved.code, late.code, answered.code, over.code) == (0, 2, 0, 2)
    assert "was answered by 'carol', 'finance' at" in late.errors
    assert "is over (completed)" in over.errors
    assert result["output"] == {"told": ["50 paid back", "Ada Lovelace"]}


async def test_an_inbox_is_json_for_programs(desk: Desk) -> None:
    handle, question = await desk.begin()

    listed = json.loads((await desk.perdure("inbox", "--json")).output)
    await handle.terminate()

    [waiting] = [each for each in listed if each["run"] == handle.id]
    assert waiting["question"] == question


async def test_python_lists_and_answers(desk: Desk) -> None:
    handle, _ = await desk.begin()
    agents = await desk.place.agents()

    [waiting] = [each for each in await list_waiting(agents, decider="anna") if each.run == handle.id]
    run = await agents.find(waiting.run)
    with pytest.raises(AnswerRefused, match="is decided by 'anna' or 'finance'"):
        await answer(run, value=True, by="bob")
    await answer(run, {"approve": True, "reason": "a loyal customer"}, by="anna")
    [decision] = await decisions(run)
    await handle.terminate()

    assert waiting.question is not None
    assert (decision.question, decision.by) == (waiting.question.id, ["anna"])


async def test_what_the_web_ui_s_form_sends_is_an_answer(desk: Desk) -> None:
    """It has one field for JSON, and sends that as one argument."""
    handle, question = await desk.begin()
    form = {"id": question["id"], "value": {"approve": True}, "by": "anna"}

    async with httpx.AsyncClient(base_url=desk.place.stack.addresses.ui_url, trust_env=False) as browser:
        await browser.get("/api/v1/settings")
        payload = {"metadata": {"encoding": _base64("json/plain")}, "data": _base64(json.dumps(form))}
        sent = await browser.post(
            f"/api/v1/namespaces/default/workflows/{handle.id}/update/answer",
            json={
                "workflowExecution": {"runId": handle.first_execution_run_id},
                "request": {"meta": {"updateId": "from-the-form"}, "input": {"args": {"payloads": [payload]}}},
            },
            headers={"X-CSRF-TOKEN": browser.cookies["_csrf"]},
        )
    made = await handle.query("decisions")
    await handle.terminate()

    assert sent.status_code == 200, sent.text
    assert [(each["question"], each["by"]) for each in made] == [(question["id"], ["anna"])]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
