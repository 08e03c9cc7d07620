"""The research agent with a real vendor's client, over HTTP, in a worker process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from activities.events import TokenEvent
from temporal.client import Agents
from temporal.writing import Writing
from tests.acceptance.conftest import PATIENCE, Place
from tests.integration.provider_server import Provider, Reply, serve_provider

KEY = "sk-canary-0123456789abcdef0123456789abcdef"
QUEUE = "with-a-model"
SEARCH = Reply(text="", tool_calls=(("search", {"query": "activity notified of cancellation heartbeat"}),))
ANSWER = Reply(text="An activity must heartbeat to be notified. {marker}", input_tokens=900, output_tokens=12)


@pytest.fixture(scope="module")
def provider() -> AsyncIterator[Provider]:
    with serve_provider() as serving:
        yield serving


@pytest.fixture(scope="module")
async def modelled(served: Place, provider: Provider) -> AsyncIterator[Place]:
    """A place where `perdure run` goes to a worker that has a language model."""
    settings = {"PERDURE_MODEL": provider.model, "OPENAI_API_KEY": KEY, "PERDURE_TASK_QUEUE": QUEUE}
    worker = await served.start_worker(**settings)
    yield Place(served.stack, served.environment | {"PERDURE_TASK_QUEUE": QUEUE})
    await worker.stop()


async def test_the_model_searches_answers_and_is_cited(modelled: Place, provider: Provider) -> None:
    provider.will_reply(SEARCH, ANSWER)

    finished = await modelled.call("perdure", "run", "research", "How is an activity told to stop?", "--json")

    result = json.loads(finished.output)
    [citation] = result["citations"]
    assert result["output"].strip() == "An activity must heartbeat to be notified. [1]"
    assert citation["document"].startswith("temporalio")
    assert "heartbeat" in citation["quote"]
    assert result["usage"]["input_tokens"] == SEARCH.input_tokens + ANSWER.input_tokens
    assert result["usage"]["model_calls"] == 2


async def test_a_provider_that_is_busy_is_asked_again_and_the_run_shows_it(modelled: Place, provider: Provider) -> None:
    provider.will_reply(Reply(status=429, headers={"retry-after": "1"}), SEARCH, ANSWER)

    finished = await modelled.call("perdure", "run", "research", "How is an activity told to stop?")

    assert finished.code == 0, finished.errors
    assert "attempt 2" in finished.errors
    assert "Citations" in finished.output


async def test_a_watcher_reads_the_answer_as_it_is_written(modelled: Place, provider: Provider) -> None:
    provider.will_reply(SEARCH, ANSWER)
    agents: Agents = await modelled.agents()
    agents = Agents(agents.client, agents.target, QUEUE, agents.transport)

    run = await agents.start("research", "How is an activity told to stop?")
    writing = Writing()
    async with asyncio.timeout(PATIENCE), aclosing(run.events()) as events:
        async for event in events:
            if isinstance(event, TokenEvent):
                writing.apply(event)
            if "notified." in writing.text:
                break
    await run.result()

    assert writing.text.strip() == "An activity must heartbeat to be notified."


async def test_the_key_is_in_no_history_and_no_log(modelled: Place, provider: Provider) -> None:
    provider.will_reply(
        SEARCH, Reply(status=401, error={"message": f"Incorrect key {KEY}", "type": "auth", "code": None})
    )

    finished = await modelled.call("perdure", "run", "research", "How is an activity told to stop?", "--id", "refused")

    agents = await modelled.agents()
    history = (await agents.client.get_workflow_handle("refused").fetch_history()).to_json()
    log = (modelled.stack.addresses.state / "logs" / "worker.log").read_text()
    assert finished.code == 1
    assert provider.keys[-1] == f"Bearer {KEY}"
    for place in (history, log, finished.output, finished.errors):
        assert KEY not in place
    assert "ProviderRefused" in history
