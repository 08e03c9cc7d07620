"""Large payloads by reference, on the real server: in a folder, and in a bucket of a real S3-compatible server."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    ScheduleState,
    WorkflowHistory,
)
from temporalio.common import RawValue

from agents import Agent, Resources
from agents.errors import PayloadMissing, ServiceUnavailable
from agents.testing import ScriptedModel, call
from temporal.client import Agents
from temporal.converter import DATA_CONVERTER
from temporal.garbage import SuspiciousCollection, collect, usage
from temporal.storage import StorageLocation
from temporal.target import Target
from tests.integration.conftest import Bench, steps, storing_client
from tests.integration.s3_server import s3_server

MEGABYTE = 1024 * 1024
AT_ONCE = timedelta(0)


@tool
def export(megabytes: float, mark: str = "x") -> str:
    """Export so many megabytes."""
    return mark * int(megabytes * MEGABYTE)


@tool
def measure(text: str) -> int:
    """Measure a text."""
    return len(text)


@tool
def count(numbers: int) -> list[int]:
    """Count."""
    return list(range(numbers))


class Measured(TypedDict, total=False):
    sizes: list[int]
    text: str


def reacting() -> Agent:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools)

    return Agent("exporting", build, tools=[export])


def exporting(*megabytes: float, keep: bool = False) -> Agent:
    """Exports all at once, and says how much came, or gives it back."""

    def build(resources: Resources) -> Any:
        async def fetch(_state: Measured) -> Measured:
            calls = (resources.tools[0].ainvoke({"megabytes": each, "mark": "é"}) for each in megabytes)
            texts = await asyncio.gather(*calls)
            return {"text": "".join(texts)} if keep else {"sizes": [len(text) for text in texts]}

        graph = StateGraph(Measured)
        graph.add_node("fetch", fetch)
        graph.add_edge(START, "fetch")
        return graph

    return Agent("fetching", build, tools=[export])


def measuring(texts: int, characters: int) -> Agent:
    def build(resources: Resources) -> Any:
        async def fan(_state: Measured) -> Measured:
            sent = (f"{number:06}".ljust(characters, "x") for number in range(texts))
            sizes = await asyncio.gather(*(resources.tools[0].ainvoke({"text": text}) for text in sent))
            return {"sizes": sizes}

        graph = StateGraph(Measured)
        graph.add_node("fan", fan)
        graph.add_edge(START, "fan")
        return graph

    return Agent("measuring", build, tools=[measure])


def size_of(history: WorkflowHistory) -> int:
    return sum(event.ByteSize() for event in history.events)


def objects_in(storage: StorageLocation) -> list[Path]:
    assert storage.folder is not None
    return [path for path in storage.folder.glob("v1/*/*/*") if path.is_file()]


async def test_a_tool_gives_back_64_megabytes(bench, storing):
    model = ScriptedModel(script=[call("export", megabytes=64), AIMessage("There.")])

    result, history = await bench(reacting(), model, on=storing).run("Export it all.")

    assert result["output"] == "There."
    assert steps(history) == ["call_model", "export", "call_model"]
    assert size_of(history) < 20_000


async def test_three_outputs_of_a_megabyte_and_a_half_come_at_once(bench, storing):
    result, history = await bench(exporting(1.5, 1.5, 1.5), ScriptedModel(script=[]), on=storing).run({})

    assert result["output"]["sizes"] == [1.5 * MEGABYTE] * 3
    assert size_of(history) < 20_000


async def test_equal_outputs_of_one_run_are_kept_once(bench, storing, storage):
    await bench(exporting(1.5, 1.5, 1.5), ScriptedModel(script=[]), on=storing).run({})

    assert len(objects_in(storage)) == 1


async def test_a_prompt_of_five_megabytes_reaches_the_model(bench, storing):
    model = ScriptedModel(script=[AIMessage("Long.")])

    result, history = await bench(reacting(), model, on=storing).run("word " * MEGABYTE)

    assert result["output"] == "Long."
    assert size_of(history) < 20_000


async def test_a_result_of_four_megabytes_is_read_by_the_client(bench, storing, stack):
    made = bench(exporting(2, keep=True), ScriptedModel(script=[]), on=storing)
    _, history = await made.run({})
    target = Target(stack.addresses.temporal_address, "default", "the test")
    agents = Agents(storing, target, made.settings.task_queue)

    run = await agents.find(history.workflow_id)

    assert (await run.result()).output["text"] == "é" * 2 * MEGABYTE
    assert [step.state async for step in run.steps()][-1] == "completed"


async def test_without_a_storage_a_large_output_still_fails_the_run(bench):
    made: Bench = bench(exporting(2), ScriptedModel(script=[]))
    async with made.worker():
        handle = await made.start({})
        with pytest.raises(Exception) as failed:  # noqa: PT011 -- looked at below
            await handle.result()

    assert "ValueTooLarge" in str(failed.value.__cause__)
    assert "PERDURE_STORAGE__URL" in str(failed.value.__cause__)


async def test_more_values_than_a_workflow_can_take_in_fail_the_run(bench, storing):
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools)

    model = ScriptedModel(script=[call("count", numbers=1_500_000)])
    made = bench(Agent("counting", build, tools=[count]), model, on=storing)
    async with made.worker():
        handle = await made.start("Count.")
        with pytest.raises(Exception) as failed:  # noqa: PT011 -- looked at below
            await handle.result()

    assert "1,000,000 values" in str(failed.value.__cause__)


@pytest.mark.parametrize("by_reference", [True, False], ids=["by reference", "inline"])
async def test_a_hundred_requests_that_no_message_can_hold_are_sent_in_pieces(bench, storing, by_reference):
    made = bench(measuring(100, 60_000), ScriptedModel(script=[]), cached=100, on=storing if by_reference else None)

    result, history = await made.run({})

    assert result["output"]["sizes"] == [60_000] * 100
    assert steps(history) == ["measure"] * 100


async def test_a_lost_payload_fails_the_run_and_says_so(bench, storing, storage):
    made: Bench = bench(reacting(), ScriptedModel(script=[AIMessage("Never.")]), on=storing)
    handle = await made.start("word " * MEGABYTE)
    for path in objects_in(storage):
        path.unlink()

    async with made.worker():
        with pytest.raises(Exception) as failed:  # noqa: PT011 -- looked at below
            await handle.result()

    assert failed.value.__cause__.type == "PayloadMissing"


async def test_a_worker_with_another_storage_is_seen_and_one_set_right_goes_on(bench, storing, stack, tmp_path):
    elsewhere = StorageLocation("elsewhere", tmp_path / "elsewhere")
    model = ScriptedModel(script=[AIMessage("Done.")])
    wrong: Bench = bench(reacting(), model, on=await storing_client(stack, elsewhere))
    right = replace(wrong, client=storing)
    handle = await right.start("word " * MEGABYTE)
    run = await Agents(storing, Target("", "default", "the test"), "queue").find(handle.id)

    async with wrong.worker():
        seen = [step.error async for step in once(run.steps())]
    async with right.worker():
        result = await handle.result()

    assert "StorageMismatch" in seen[0]
    assert "PERDURE_STORAGE__URL" in seen[0]
    assert result["output"] == "Done."


async def once(items: Any) -> Any:
    """The first of them."""
    async for item in items:
        yield item
        return


async def test_a_lost_result_is_told_from_a_failed_run(bench, storing, storage):
    made: Bench = bench(exporting(2, keep=True), ScriptedModel(script=[]), on=storing)
    _, history = await made.run({})
    for path in objects_in(storage):
        path.unlink()
    run = await Agents(storing, Target("", "default", "the test"), "queue").find(history.workflow_id)

    with pytest.raises(PayloadMissing, match="is lost"):
        await run.result()


async def test_a_client_without_the_storage_sees_a_reference(bench, storing, stack):
    made: Bench = bench(exporting(2, keep=True), ScriptedModel(script=[]), on=storing)
    _, history = await made.run({})
    plain = await Client.connect(stack.addresses.temporal_address, data_converter=DATA_CONVERTER)

    handle = plain.get_workflow_handle(history.workflow_id, result_type=RawValue)
    last = [event async for event in handle.fetch_history_events()][-1]

    [payload] = last.workflow_execution_completed_event_attributes.result.payloads
    assert b'"workflow"' in payload.data
    assert len(payload.data) < 1_000


class TestGarbage:
    @pytest.fixture
    def blobs(self, storage: StorageLocation) -> Any:
        return storage.open()

    async def test_what_lives_stays_and_what_is_gone_goes(self, bench, storing, blobs):
        made: Bench = bench(reacting(), ScriptedModel(script=[AIMessage("Done.")]), on=storing)
        open_run = await made.start("word " * MEGABYTE)
        await blobs.put("default", f"gone-{uuid.uuid4().hex}", b"left behind")

        would = await collect(blobs, storing, fresh=AT_ONCE, closed_for=AT_ONCE, dry_run=True)
        assert (await usage(blobs, "default")).workflows == 2
        done = await collect(blobs, storing, fresh=AT_ONCE, closed_for=AT_ONCE)

        assert would == done
        assert (done.removed.workflows, done.removed.objects, done.removed.size) == (1, 1, len(b"left behind"))
        assert done.kept.workflows == 1
        async with made.worker():
            assert (await open_run.result())["output"] == "Done."

    async def test_what_is_fresh_stays(self, storing, blobs):
        await blobs.put("default", f"gone-{uuid.uuid4().hex}", b"its workflow may be about to begin")

        assert (await collect(blobs, storing)).removed.objects == 0

    async def test_a_run_that_ended_keeps_its_payloads_unless_they_are_asked_for(self, bench, storing, blobs):
        await bench(exporting(1.5), ScriptedModel(script=[]), on=storing).run({})

        kept = await collect(blobs, storing, fresh=AT_ONCE)
        removed = await collect(blobs, storing, fresh=AT_ONCE, closed_for=AT_ONCE)

        assert (kept.removed.objects, removed.removed.objects) == (0, 1)

    async def test_the_storage_of_another_server_is_left_alone(self, storing, blobs):
        await blobs.put("default", f"elsewhere-{uuid.uuid4().hex}", b"unknown here")

        with pytest.raises(SuspiciousCollection, match="another server"):
            await collect(blobs, storing, fresh=AT_ONCE)

        assert (await usage(blobs, "default")).objects == 1

    async def test_the_input_of_a_schedule_stays(self, storing, blobs):
        identifier = f"scheduled-{uuid.uuid4().hex}"
        action = ScheduleActionStartWorkflow(
            "AgentWorkflow", {"agent": "a", "input": "x" * MEGABYTE}, id=identifier, task_queue="nobody"
        )
        schedule = await storing.create_schedule(
            identifier, Schedule(action, ScheduleSpec(), state=ScheduleState(paused=True))
        )

        done = await collect(blobs, storing, fresh=AT_ONCE)

        assert (done.removed.objects, done.kept.objects) == (0, 1)
        await schedule.delete()


class TestS3:
    async def test_a_run_keeps_its_payloads_in_a_bucket(self, bench, stack, tmp_path):
        async with s3_server(tmp_path, "bucket") as variables:
            storage = StorageLocation("s3://bucket/some/prefix", config=variables)
            model = ScriptedModel(script=[call("export", megabytes=16), AIMessage("There.")])

            made = bench(reacting(), model, on=await storing_client(stack, storage))
            result, history = await made.run("word " * MEGABYTE)

            assert result["output"] == "There."
            assert size_of(history) < 20_000
            assert len(list((tmp_path / "bucket/some/prefix/v1/default" / history.workflow_id).iterdir())) >= 3
            done = await collect(storage.open(), made.client, fresh=AT_ONCE, closed_for=AT_ONCE)
            assert (done.kept.objects, (await usage(storage.open(), "default")).objects) == (0, 0)

    async def test_it_is_reachable_with_the_right_key_alone(self, tmp_path):
        async with s3_server(tmp_path, "bucket") as variables:
            right = StorageLocation("s3://bucket/prefix", config=variables)
            wrong = replace(right, config=variables | {"AWS_SECRET_ACCESS_KEY": "another-secret"})

            await right.open().probe()
            with pytest.raises(ServiceUnavailable, match="403 Forbidden") as refused:
                await wrong.open().probe()

        assert "secret" not in str(refused.value)
