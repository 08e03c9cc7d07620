"""`perdure chat`, as somebody at a real terminal has it, and as a script does."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel
from temporalio.client import Client

from activities.event_log import EventLog
from agents import Agent, Resources
from agents.testing import ScriptedModel
from temporal.converter import DATA_CONVERTER
from temporal.dev.process import Child
from temporal.settings import Settings, WorkerSettings
from tests.acceptance.conftest import Finished, Place
from tests.acceptance.person import CTRL_C, CTRL_D, CTRL_U, Person, at_terminal
from tests.integration.conftest import Bench
from tests.integration.provider_server import Provider, Reply, serve_provider

PASTED = "\x1b[200~{}\x1b[201~"
LOOK_UP = Reply(text="One moment.", tool_calls=(("look_up_order", {"order": "A-1001"}),))
REFUND = Reply(text="", tool_calls=(("refund", {"order": "A-1002", "cents": 100, "reason": "late"}),))


@dataclass
class Desk:
    """A worker whose model says what a test has it say, and terminals to talk to it."""

    place: Place
    provider: Provider
    variables: dict[str, str]
    worker: Child

    def chat(self, *arguments: str, agent: str = "support") -> AbstractAsyncContextManager[Person]:
        environment = self.place.environment | self.variables
        return at_terminal("perdure", "chat", agent, *arguments, environment=environment)

    async def perdure(self, *arguments: str, given: str | None = None, **more: str) -> Finished:
        return await self.place.call("perdure", *arguments, given=given, **self.variables, **more)

    async def start_worker(self) -> None:
        self.worker = await self.place.start_worker(**self.variables)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serve_provider() as served:
        yield served


@pytest.fixture
async def desk(place: Place, provider: Provider) -> AsyncIterator[Desk]:
    variables = {
        "PERDURE_TASK_QUEUE": f"chat-{uuid.uuid4().hex[:8]}",
        "PERDURE_MODEL": provider.model,
        "PERDURE_WORKER__CACHED_WORKFLOWS": "0",
        "OPENAI_API_KEY": "sk-none",
    }
    made = Desk(place, provider, variables, await place.start_worker(**variables))
    yield made
    provider.closing.set()
    await made.worker.stop()


def thread_of(greeting: str) -> str:
    return greeting.partition("Thread ")[2].partition(".")[0]


async def test_a_turn_is_shown_as_it_happens(desk: Desk) -> None:
    desk.provider.will_reply(LOOK_UP, Reply(text="It is **on its way**."))

    async with desk.chat() as person:
        await person.sees("> ")
        person.types("Where is A-1001?")
        await person.sees("thinking")
        await person.sees("One moment.")
        await person.sees('✓ look_up_order · "A-1001"')
        await person.sees("It is on its way.")
        await person.sees("2 model calls, 1 tool call, 22 input and 10 output tokens")
        await person.sees("> ")
        person.presses(CTRL_D)
        await person.sees("Come back with `perdure chat support --thread support-")

        assert await person.leaves() == 0


async def test_what_is_asked_is_answered_in_place(desk: Desk) -> None:
    again = Reply(text="", tool_calls=(("refund", {"order": "A-1002", "cents": 300, "reason": "late"}),))
    desk.provider.will_reply(REFUND, again, again, Reply(text="Done."))

    async with desk.chat("--by", "anna") as person:
        await person.sees("> ")
        person.types("Money back!")
        await person.sees('support asks: refund(order="A-1002", cents=100, reason="late")')
        await person.sees("anybody may decide · without an answer, in 2 d: reject")
        await person.sees("ones, too: ")
        person.types("perhaps")
        await person.sees("Type y, n, e or s")
        await person.sees("ones, too: ")
        person.types("n")
        await person.sees("Why? ")
        person.types("too late")
        await person.sees("cents=300")
        await person.sees("ones, too: ")
        person.types("e")
        await person.sees('Its arguments: {"order": "A-1002", "cents": 300, "reason": "late"}')
        person.presses(CTRL_U)
        person.types('{"order": "A-1002", "cents": "many", "reason": "late"}')
        await person.sees("cents: ")
        await person.sees("ones, too: ")
        person.types('e {"order": "A-1002", "cents": 200, "reason": "late"}')
        await person.sees('✓ refund · {"order": "A-1002", "cents": 200')
        await person.sees("ones, too: ")
        person.types("s")
        await person.sees("Done.")
        await person.sees("4 model calls")

    told = [message["content"] for message in desk.provider.requests[-1]["messages"] if message["role"] == "tool"]
    assert "too late" in told[0]
    assert "A person changed the arguments" in told[1]
    assert told[2] == "3.00 EUR were paid back for order A-1002."


class Verdict(BaseModel):
    kind: Literal["good", "bad"]


def build(_resources: Resources) -> Any:
    def judge(_state: MessagesState) -> dict[str, Any]:
        verdict = interrupt({"question": "Good enough?", "draft": "Dear sir"}, response_schema=Verdict)
        return {"messages": [AIMessage(f"Then it is {verdict.kind}.")]}

    return StateGraph(MessagesState).add_node("judge", judge).add_edge(START, "judge")


async def test_a_question_takes_what_fits_its_schema_alone(place: Place) -> None:
    client = await Client.connect(place.target.address, data_converter=DATA_CONVERTER)
    settings = Settings(task_queue=f"chat-{uuid.uuid4().hex[:8]}", worker=WorkerSettings(cached_workflows=0))
    environment = place.environment | {"PERDURE_TASK_QUEUE": settings.task_queue}
    events = EventLog(place.stack.addresses.state / "events.db")

    with events.publishing() as sink:
        made = Bench(client, Agent("editor", build), ScriptedModel(script=[]), settings, [], events=sink)
        async with made.worker(), at_terminal("perdure", "chat", "editor", environment=environment) as person:
            await person.sees("> ")
            person.types("Judge it.")
            await person.sees("editor asks: Good enough?")
            await person.sees('{"draft": "Dear sir"}')
            await person.sees("Your answer: ")
            person.types('{"kind": "so-so"}')
            await person.sees("kind: ")
            await person.sees("Your answer: ")
            person.types('{"kind": "good"}')
            await person.sees("Then it is good.")


async def test_the_turn_goes_on_where_somebody_else_answers(desk: Desk) -> None:
    desk.provider.will_reply(REFUND, Reply(text="Settled."))

    async with desk.chat() as person:
        thread = thread_of(await person.sees("> "))
        person.types("Money back!")
        await person.sees("ones, too: ")
        person.presses("half a wo")
        approved = await desk.perdure("approve", thread, "--by", "bob")
        await person.sees("It was answered elsewhere")
        await person.sees("✓ refund")
        await person.sees("Settled.")
        await person.sees("> ")
        person.types("/quit")

        assert await person.leaves() == 0
    assert approved.code == 0, approved.errors


async def test_ctrl_c_interrupts_the_turn_and_the_thread_is_there_tomorrow(desk: Desk) -> None:
    desk.provider.will_reply(LOOK_UP, Reply(text="Half of what I was about to say.", stalled=True), Reply(text="Anew."))

    async with desk.chat() as person:
        thread = thread_of(await person.sees("> "))
        person.types("Where is A-1001?")
        await person.sees("Half of")
        person.presses(CTRL_C)
        await person.sees("Interrupted. What it did stays: look_up_order. What it was writing is not part")
        await person.sees("> ")
        person.types("Once more.")
        await person.sees("Anew.")
        await person.sees("> ")
        person.presses(CTRL_C)
        await person.sees(f"--thread {thread}")
        left = await person.leaves()
    desk.provider.will_reply(REFUND, Reply(text="Paid."))
    async with desk.chat("--thread", thread) as person:
        await person.sees("> Where is A-1001?")
        await person.sees("support: One moment.")
        await person.sees("> Once more.")
        await person.sees("support: Anew.")
        await person.sees("> ")
        person.types("Money back!")
        await person.sees("ones, too: ")
        person.presses(CTRL_D)
        await person.sees("perdure inbox")
        await person.leaves()
    async with desk.chat("--thread", thread) as person:
        await person.sees("ones, too: ")
        person.types("y")
        await person.sees("Paid.")

    assert left == 0


async def test_a_second_ctrl_c_leaves(desk: Desk) -> None:
    desk.provider.will_reply(Reply(text="Half of what I was about to say.", stalled=True))

    async with desk.chat() as person:
        await person.sees("> ")
        person.types("Speak.")
        await person.sees("Half of")
        desk.worker.kill()
        await desk.worker.wait()
        person.presses(CTRL_C)
        await person.sees("Ctrl-C again leaves.")
        person.presses(CTRL_C)
        await person.sees("Come back with")

        assert await person.leaves() == 130


async def test_a_worker_that_is_killed_in_the_middle_of_a_word_is_no_matter(desk: Desk) -> None:
    desk.provider.will_reply(
        Reply(text="Said in vain, and never to its end.", stalled=True), Reply(text="Said to the end.")
    )

    async with desk.chat() as person:
        await person.sees("> ")
        person.types("Speak.")
        await person.sees("Said in vain")
        desk.worker.kill()
        await desk.worker.wait()
        await desk.start_worker()
        await person.sees("Said to the end.")
        await person.sees("1 model call")
        await person.sees("> ")
        person.types("And on.")
        await person.sees("Hello there.")
        await person.sees("1 model call")


async def test_a_turn_that_fails_says_why_and_the_chat_goes_on(desk: Desk) -> None:
    desk.provider.will_reply(Reply(status=401), Reply(text="Better."))

    async with desk.chat() as person:
        await person.sees("> ")
        person.types("Speak.")
        await person.sees("The turn failed with ProviderRefused: ")
        await person.sees("`perdure doctor` shows the model")
        await person.sees("> ")
        person.types("Again.")
        await person.sees("Better.")


async def test_several_lines_that_are_pasted_are_one_turn(desk: Desk) -> None:
    async with desk.chat() as person:
        await person.sees("> ")
        person.presses(PASTED.format("one\ntwo\nthree"))
        await person.sees("three")
        person.types("")
        await person.sees("1 model call")

    [asked] = [message["content"] for message in desk.provider.requests[-1]["messages"] if message["role"] == "user"]
    assert asked == "one\ntwo\nthree"


async def test_in_a_pipe_lines_are_turns_and_answers_without_codes(desk: Desk) -> None:
    desk.provider.will_reply(REFUND, Reply(text="So *not*."), Reply(text="Anything else?"))

    ended = await desk.perdure("chat", "support", given="Money back!\nn too dear\nThanks.\n")
    failed = await desk.perdure("chat", "support", given="/nothing\n\n")

    assert ended.code == 0, ended.errors
    assert ended.output == "So *not*.\nAnything else?\n"
    assert "support asks: refund(" in ended.errors
    assert "3 model calls" not in ended.errors
    assert "\x1b" not in ended.output + ended.errors
    assert (failed.code, failed.output) == (0, "")
    assert "There is no /nothing." in failed.errors


async def test_a_script_is_told_what_went_wrong(desk: Desk) -> None:
    desk.provider.will_reply(Reply(status=401), REFUND)

    failed = await desk.perdure("chat", "support", given="Speak.\n")
    waiting = await desk.perdure("chat", "support", given="Money back!\n")

    assert (failed.code, waiting.code) == (1, 1)
    assert "ProviderRefused" in failed.errors
    assert "perdure inbox" in waiting.errors


async def test_what_can_not_be_talked_to_is_said(desk: Desk) -> None:
    unknown = await desk.perdure("chat", "nobody", given="Hello?\n")
    nowhere = await desk.perdure("chat", "support", given="Hello?\n", TEMPORAL_ADDRESS="127.0.0.1:9")
    begun = await desk.perdure("send", "support", "Hello?", "--thread", "closed-chat", "--json")
    other = await desk.perdure("chat", "research", "--thread", "closed-chat", given="Hello?\n")
    ended = await desk.place.call(
        "temporal", "workflow", "terminate", "--workflow-id", "closed-chat", "--address", desk.place.target.address
    )
    closed = await desk.perdure("chat", "support", "--thread", "closed-chat", given="Hello?\n")
    started = await desk.perdure("run", "support", "Hello?", "--detach")
    run = await desk.perdure("chat", "support", "--thread", started.output.strip(), given="Hello?\n")

    assert json.loads(begun.output)["status"] == "done"
    assert ended.code == 0, ended.errors
    assert (unknown.code, nowhere.code, other.code, closed.code, run.code) == (2, 1, 2, 1, 2)
    assert "Unknown agent 'nobody'" in unknown.errors
    assert "Come back" not in unknown.errors
    assert "No Temporal server answers at 127.0.0.1:9" in nowhere.errors
    assert "The thread's agent is 'support'" in other.errors
    assert "is terminated" in closed.errors
    assert "is of type AgentWorkflow, and no thread" in run.errors


async def test_a_thread_of_another_tenant_is_not_gone_on_with(desk: Desk) -> None:
    desk.provider.will_reply(Reply(text="Good day."))
    thread = ("chat", "support", "--thread", f"thread-{uuid.uuid4().hex[:8]}")

    own = await desk.perdure(*thread, "--tenant", "acme", "--user", "ada", given="Hello\n")
    stranger = await desk.perdure(*thread, "--tenant", "evil", given="Hello\n")

    assert own.code == 0, own.errors
    assert "Good day." in own.output
    assert "The thread's tenant is 'acme', and not 'evil'." in stranger.output + stranger.errors
