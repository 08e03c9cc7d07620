"""What a run has done is undone, the last first, when it fails or is cancelled."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ApplicationError, CancelledError

from agents import Agent, Done, Resources, StepOptions, durable, idempotency_key
from agents.errors import FatalError
from agents.testing import ScriptedModel, call
from temporal.settings import Settings, WorkerSettings
from tests.integration.cases import agent_with
from tests.integration.conftest import Bench, steps
from tests.integration.test_agent_workflow import failure_of
from tests.integration.threads import Strict, begin


class Trip:
    """Tools that book and take back, and keep in `log` what they did."""

    def __init__(self, *, cannot_undo: str = "") -> None:
        self.log: list[Any] = []
        self.keys: dict[str, str] = {}
        self._cannot_undo = cannot_undo

    @property
    def tools(self) -> list[Any]:
        return [self._booking("flight"), self._booking("hotel"), self._failing()]

    def _booking(self, name: str) -> Any:
        async def undo(result: Any, key: str) -> None:
            assert key == self.keys[name]
            assert idempotency_key() == f"{key}:compensation"
            if name == self._cannot_undo:
                raise FatalError("the desk is closed")
            self.log.append(("undone", result))

        @tool(name)
        async def book() -> tuple[str, int]:
            """Book."""
            self.keys[name] = idempotency_key()
            self.log.append(("booked", name))
            return name, 5

        return durable(compensate=undo)(book)

    def _failing(self) -> Any:
        def undo(_result: Any, _key: str) -> None:
            self.log.append(("undone", "car"))

        @durable(compensate=undo)
        @tool
        def car() -> str:
            """Rent a car."""
            raise ValueError("no car is left")

        return car


BOOKING = [call("flight"), call("hotel"), call("car")]


async def test_a_run_that_fails_undoes_what_it_did_in_reverse(bench, cached_workflows) -> None:
    trip = Trip()
    made = bench(agent_with(*trip.tools), ScriptedModel(script=BOOKING), cached=cached_workflows)

    async with made.worker():
        handle = await made.start("go")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert trip.log == [
        ("booked", "flight"),
        ("booked", "hotel"),
        ("undone", ("hotel", 5)),
        ("undone", ("flight", 5)),
    ]
    assert failed.value.cause.message.startswith("ValueError: no car is left")
    assert "compens" not in failed.value.cause.message
    assert steps(await made.replayed(handle)) == [
        "call_model",
        "flight",
        "call_model",
        "hotel",
        "call_model",
        "car",
        "hotel.compensate",
        "flight.compensate",
    ]


async def test_a_run_that_ends_well_undoes_nothing(bench) -> None:
    trip = Trip()
    made = bench(agent_with(*trip.tools), ScriptedModel(script=[call("flight"), AIMessage("booked")]))

    _, history = await made.run("go")

    assert trip.log == [("booked", "flight")]
    assert steps(history) == ["call_model", "flight", "call_model"]


async def test_a_compensation_that_fails_is_told_and_keeps_no_other_from_running(bench) -> None:
    trip = Trip(cannot_undo="hotel")

    error = await failure_of(bench(agent_with(*trip.tools), ScriptedModel(script=BOOKING)), "go")

    assert trip.log[-1] == ("undone", ("flight", 5))
    assert error.type == "GraphFailed"
    assert error.message.startswith("ValueError: no car is left")
    assert f"The compensation of tool 'hotel' (key {trip.keys['hotel']}) failed: the desk is closed" in error.message


def waiting(name: str, begun: asyncio.Event, **options: Any) -> Any:
    @tool(name)
    async def wait() -> str:
        """Wait for ever."""
        begun.set()
        await asyncio.Event().wait()
        return "never"

    return durable(**options)(wait)


async def cancelled(made: Bench, begun: asyncio.Event) -> tuple[WorkflowHandle[Any, Any], BaseException | None]:
    """A run that was cancelled once it had begun to wait, and what it ended with."""
    async with made.worker():
        handle = await made.start("go")
        await begun.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    return handle, failed.value.cause


async def test_a_run_that_is_cancelled_undoes_what_it_did(bench, cached_workflows) -> None:
    trip, begun = Trip(), asyncio.Event()
    agent = agent_with(*trip.tools, waiting("wait", begun, effect="read"))
    script = [call("flight"), call("hotel"), call("wait")]
    made = bench(agent, ScriptedModel(script=script), cached=cached_workflows)

    handle, cause = await cancelled(made, begun)

    assert isinstance(cause, CancelledError)
    assert trip.log[2:] == [("undone", ("hotel", 5)), ("undone", ("flight", 5))]
    assert steps(await made.replayed(handle))[-2:] == ["hotel.compensate", "flight.compensate"]


class Hotel:
    """Books, takes its time to take it back, and does nothing else."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.undoing, self.go = asyncio.Event(), asyncio.Event()

    @property
    def tools(self) -> list[Any]:
        async def undo(result: str, _key: str) -> None:
            self.undoing.set()
            await self.go.wait()
            self.log.append(result)

        @durable(compensate=undo)
        @tool
        async def book(room: str = "1") -> str:
            """Book."""
            return room

        @tool
        async def fail() -> None:
            """Fail."""
            raise ValueError("no car is left")

        return [book, fail]

    async def cancel_meanwhile(self, handle: WorkflowHandle[Any, Any]) -> None:
        """While the first call is undone."""
        await self.undoing.wait()
        await handle.cancel()
        while not has_seen_its_cancellation(await handle.fetch_history()):
            await asyncio.sleep(0.05)
        self.go.set()


def has_seen_its_cancellation(history: WorkflowHistory) -> bool:
    kinds = [event.event_type for event in history.events]
    requested, completed = (
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    )
    return requested in kinds and completed in kinds[kinds.index(requested) :]


async def test_a_run_that_is_cancelled_while_it_is_undone_is_undone_to_the_end(bench, cached_workflows) -> None:
    hotel = Hotel()
    script = [call("book", room="1"), call("book", room="2"), call("fail")]
    made = bench(agent_with(*hotel.tools), ScriptedModel(script=script), cached=cached_workflows)

    async with made.worker():
        handle = await made.start("go")
        await hotel.cancel_meanwhile(handle)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert hotel.log == ["2", "1"]
    assert "no car is left" in failed.value.cause.message
    await made.replayed(handle)


async def test_a_thread_that_is_cancelled_while_a_turn_is_undone_is_undone_to_the_end(bench) -> None:
    hotel = Hotel()
    made = bench(agent_with(*hotel.tools), Strict())

    async with made.worker():
        talk = await begin(made)
        await talk.send("use book then book then fail")
        await hotel.cancel_meanwhile(talk.handle)
        with pytest.raises(WorkflowFailureError) as failed:
            await talk.handle.result()

    assert hotel.log == ["1", "1"]
    assert isinstance(failed.value.cause, CancelledError)
    await talk.histories()


async def test_a_cancelled_run_that_could_not_be_undone_says_so(bench) -> None:
    trip, begun = Trip(cannot_undo="hotel"), asyncio.Event()
    agent = agent_with(*trip.tools, waiting("wait", begun, effect="read"))
    made = bench(agent, ScriptedModel(script=[call("hotel"), call("wait")]))

    _handle, cause = await cancelled(made, begun)

    assert isinstance(cause, ApplicationError)
    assert cause.type == "CompensationFailed"
    assert cause.message.startswith("The run was cancelled. The compensation of tool 'hotel'")


@pytest.mark.parametrize(
    ("found", "undone", "left"),
    [
        (Done("it was"), ["it was"], False),
        ("not_done", [], False),
        ("unknown", [], True),
        (None, [], True),
    ],
    ids=["done", "not done", "unknown", "nobody knows"],
)
async def test_a_call_that_was_cancelled_in_its_middle_is_undone_where_it_is_known_to_be_done(
    bench, found, undone, left
) -> None:
    begun, log = asyncio.Event(), []

    def undo(result: Any, _key: str) -> None:
        log.append(result)

    reconcile = (lambda _key: found) if found else None
    tools = [waiting("pay", begun, compensate=undo, reconcile=reconcile)]
    made = bench(agent_with(*tools), ScriptedModel(script=[call("pay")]))

    handle, cause = await cancelled(made, begun)

    assert log == undone
    assert isinstance(cause, ApplicationError) is left
    if left:
        assert cause.message.endswith("is unknown, so it was not compensated.")
    await made.replayed(handle)


async def test_a_call_that_ends_well_although_its_run_was_cancelled_is_undone(bench) -> None:
    begun, log = asyncio.Event(), []

    def undo(result: Any, _key: str) -> None:
        log.append(result)

    @durable(compensate=undo)
    @tool
    async def pay() -> str:
        """Pay, and finish that first when cancelled."""
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "paid"
        return "never"

    made = bench(agent_with(pay), ScriptedModel(script=[call("pay")]))

    handle, cause = await cancelled(made, begun)

    assert isinstance(cause, CancelledError)
    assert log == ["paid"]
    await made.replayed(handle)


async def test_a_call_that_was_cancelled_before_a_worker_had_it_leaves_nothing_to_undo(bench) -> None:
    pay = waiting("pay", asyncio.Event(), compensate=print, step=StepOptions(task_queue="nobody-serves-this"))
    made = bench(agent_with(pay), ScriptedModel(script=[call("pay")]))

    async with made.worker():
        handle = await made.start("go")
        while "pay" not in steps(await handle.fetch_history()):
            await asyncio.sleep(0.05)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, CancelledError)
    await made.replayed(handle)


async def test_a_call_that_a_cancelled_run_did_not_begin_leaves_nothing_to_undo(bench) -> None:
    begun = asyncio.Event()
    tools = [waiting("wait", begun, effect="read"), waiting("pay", begun, compensate=print)]

    def build(resources: Resources) -> Any:
        async def stubborn(_state: MessagesState) -> None:
            with suppress(asyncio.CancelledError):
                await resources.tools[0].ainvoke({})
            await resources.tools[1].ainvoke({})

        return StateGraph(MessagesState).add_node("stubborn", stubborn).add_edge(START, "stubborn")

    made = bench(Agent("stubborn", build, tools=tools), ScriptedModel(script=[]))

    handle, cause = await cancelled(made, begun)

    assert isinstance(cause, CancelledError)
    assert steps(await made.replayed(handle)) == ["wait"]


async def test_a_call_that_was_cancelled_between_two_attempts_may_have_been_carried_out(bench) -> None:
    """The server tells of it as of one that no worker has taken up."""
    begun, log = asyncio.Event(), []

    def undo(result: Any, _key: str) -> None:
        log.append(result)

    queue = f"payments-{uuid.uuid4().hex[:8]}"
    pay = waiting(
        "pay",
        begun,
        effect="idempotent",
        compensate=undo,
        reconcile=lambda _key: Done("it was"),
        step=StepOptions(task_queue=queue),
    )
    made = bench(agent_with(pay), ScriptedModel(script=[call("pay")]))
    payments = replace(made, settings=Settings(task_queue=queue, worker=WorkerSettings(shutdown_seconds=0)))

    async with made.worker():
        async with payments.worker():
            handle = await made.start("go")
            await begun.wait()
        await handle.cancel()
        while "activity_task_canceled_event_attributes" not in str(await handle.fetch_history()):
            await asyncio.sleep(0.05)
        async with payments.worker():
            with pytest.raises(WorkflowFailureError) as failed:
                await handle.result()

    assert isinstance(failed.value.cause, CancelledError)
    assert log == ["it was"]
    await made.replayed(handle)


async def test_a_call_that_goes_on_when_its_run_fails_is_waited_for(bench) -> None:
    """The node gathers two calls; one fails, and nothing awaits the other any more."""
    begun, log = asyncio.Event(), []

    def undo(result: Any, _key: str) -> None:
        log.append(result)

    @tool
    async def fail() -> str:
        """Fail once the other is at work."""
        await begun.wait()
        raise ValueError("no")

    def build(resources: Resources) -> Any:
        async def work(_state: MessagesState) -> dict[str, Any]:
            await asyncio.gather(*(each.ainvoke({}) for each in resources.tools))
            return {}

        return StateGraph(MessagesState).add_node("work", work).add_edge(START, "work")

    pay = waiting("pay", begun, compensate=undo, reconcile=lambda _key: Done("it was"))

    error = await failure_of(bench(Agent("trip", build, tools=[pay, fail]), ScriptedModel(script=[])), "go")

    assert error.message.startswith("ValueError: no")
    assert log == ["it was"]
