"""The migration page: what it shows runs before and after on one server, with the same answers."""

from __future__ import annotations

import importlib
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from agents.testing import ScriptedModel, call
from temporal.converter import DATA_CONVERTER
from temporal.settings import Settings
from tests.acceptance.conftest import Place
from tests.acceptance.test_docs import MIGRATION, blocks
from tests.integration.conftest import Bench, steps

QUEUE = "migrated"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's files, in which the agents are installed."""
    monkeypatch.syspath_prepend(tmp_path)
    for block in blocks(MIGRATION, "python"):
        name = re.match(r"# (\w+)\.py\n", block)
        assert name, block
        monkeypatch.delitem(sys.modules, name[1], raising=False)
        (tmp_path / f"{name[1]}.py").write_text(block.replace('"perdure"', f'"{QUEUE}"'))
    [project] = blocks(MIGRATION, "toml")
    [(group, entries)] = tomllib.loads(project)["project"]["entry-points"].items()
    installed = tmp_path / "tickets-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: tickets\nVersion: 1.0\n")
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    return tmp_path


def loaded(name: str) -> Any:
    return importlib.import_module(name)


async def test_the_answers_before_are_those_after(page: Path, place: Place) -> None:
    path = {"PYTHONPATH": str(page)}
    before = await place.call(sys.executable, str(page / "before.py"), **path)
    assert before.code == 0, before.errors

    worker = await place.start_worker(PERDURE_TASK_QUEUE=QUEUE, **path)
    after = await place.call(sys.executable, str(page / "start.py"), **path)
    around = await _around(place)
    await worker.stop()

    assert after.code == 0, after.errors
    assert json.loads(after.output) == json.loads(before.output)
    assert [answer for answer in json.loads(after.output) if answer] == [
        {"text": "the printer", "topic": "other", "answer": "A person will look at 'the printer'."},
        {"text": "invoice 7", "topic": "billing", "answer": "Refund granted."},
        80,
    ]
    assert around == "A person will look at 'the door'."


async def _around(place: Place) -> Any:
    client = await Client.connect(place.stack.addresses.temporal_address)
    day = loaded("around").TicketOfTheDay
    async with Worker(client, task_queue="around", workflows=[day], workflow_runner=UnsandboxedWorkflowRunner()):
        return await client.execute_workflow(day.run, "the door", id="around", task_queue="around")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("coarse", ["coarse.answer"]), ("fine", ["call_model", "order_status", "call_model"])],
)
async def test_with_resources_each_call_is_a_step_and_the_answer_the_same(page, place, name, expected) -> None:
    assert page.exists()
    client = await Client.connect(place.stack.addresses.temporal_address, data_converter=DATA_CONVERTER)
    model = ScriptedModel(script=[call("order_status", order_id="A-17"), AIMessage("On its way.")])

    result, history = await Bench(client, getattr(loaded("answered"), name), model, Settings(task_queue=name), []).run(
        "Where?"
    )

    assert result["output"] == "On its way."
    assert steps(history) == expected
