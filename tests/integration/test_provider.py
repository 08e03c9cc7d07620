"""OpenAI's protocol with the vendor's own client: what comes back, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from temporalio.exceptions import ApplicationError

from activities.failures import translate
from activities.providers import chat_model
from tests.integration.provider_server import Provider, Reply, serve_provider

KEY = "sk-the-key-of-a-test"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serve_provider() as served:
        yield served


async def streamed(provider: Provider, *, silence_limit: float = 30, tools: Any = ()) -> AIMessageChunk:
    model: Any = chat_model(provider.model, {"OPENAI_API_KEY": KEY}, silence_limit=silence_limit)
    model = model.bind_tools(tools) if tools else model
    chunks = [chunk async for chunk in model.astream("Hello?")]
    return sum(chunks[1:], chunks[0])


async def failed(provider: Provider, *, silence_limit: float = 30) -> ApplicationError:
    with pytest.raises(Exception) as raised:  # noqa: PT011 -- whatever the vendor raises
        await streamed(provider, silence_limit=silence_limit)
    return translate(raised.value)


async def test_an_answer_is_streamed_with_its_tokens_counted(provider):
    provider.will_reply(Reply(text="Timers are durable.", input_tokens=7, output_tokens=3))

    answer = await streamed(provider)

    assert answer.text.strip() == "Timers are durable."
    assert answer.usage_metadata is not None
    assert (answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]) == (7, 3)


async def test_an_answer_comes_whole_where_it_is_not_streamed(provider):
    provider.will_reply(Reply(text="Timers are durable."))
    model = chat_model(provider.model, {})

    answer = await model.ainvoke("Hello?")

    assert (answer.text, answer.usage_metadata is not None) == ("Timers are durable.", True)


async def test_the_model_calls_a_tool(provider):
    @tool
    def search(query: str) -> str:
        """Searches."""
        return query

    provider.will_reply(Reply(text="", tool_calls=(("search", {"query": "timers"}),)))

    answer = await streamed(provider, tools=[search])

    assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("search", {"query": "timers"})]
    assert provider.requests[0]["tools"][0]["function"]["name"] == "search"


async def test_the_key_and_the_model_reach_the_provider(provider):
    await streamed(provider)

    assert (provider.keys, provider.requests[0]["model"]) == ([f"Bearer {KEY}"], "test-model")


async def test_a_busy_provider_is_tried_again_when_it_says(provider):
    provider.will_reply(Reply(status=429, headers={"retry-after": "7"}))

    failure = await failed(provider)

    assert (failure.type, failure.non_retryable, failure.next_retry_delay) == (
        "ProviderBusy",
        False,
        timedelta(seconds=7),
    )


async def test_the_vendors_client_does_not_retry_behind_our_back(provider):
    provider.will_reply(Reply(status=500))

    failure = await failed(provider)

    assert (failure.type, failure.non_retryable, len(provider.requests)) == ("ServiceUnavailable", False, 1)


async def test_a_refused_key_fails_the_run_and_is_not_told(provider):
    provider.will_reply(Reply(status=401, error={"message": f"Incorrect API key provided: {KEY}", "code": "invalid"}))

    failure = await failed(provider)

    assert (failure.type, failure.non_retryable) == ("ProviderRefused", True)
    assert KEY not in failure.message


async def test_an_unknown_model_fails_the_run(provider):
    provider.will_reply(Reply(status=404, error={"message": "no such model", "code": "model_not_found"}))

    failure = await failed(provider)

    assert (failure.type, failure.non_retryable) == ("ProviderRefused", True)


async def test_a_conversation_beyond_the_context_fails_the_run(provider):
    error = {"message": "maximum context length is 8192 tokens", "code": "context_length_exceeded"}
    provider.will_reply(Reply(status=400, error=error))

    failure = await failed(provider)

    assert (failure.type, failure.non_retryable) == ("ContextTooLong", True)


async def test_a_silent_provider_is_tried_again(provider):
    provider.will_reply(Reply(held=True))

    failure = await failed(provider, silence_limit=0.2)

    assert (failure.type, failure.non_retryable) == ("ServiceUnavailable", False)


async def test_a_stream_that_breaks_off_is_tried_again(provider):
    provider.will_reply(Reply(text="one two three four", broken=True))

    failure = await failed(provider)

    assert (failure.type, failure.non_retryable) == ("ServiceUnavailable", False)


async def test_an_error_in_the_middle_of_a_stream_is_tried_again(provider):
    provider.will_reply(Reply(late_error={"message": "overloaded", "type": "server_error", "code": None}))

    failure = await failed(provider)

    assert (failure.type, failure.non_retryable) == ("ServiceUnavailable", False)


async def test_a_provider_that_is_not_there_is_tried_again():
    nobody = Provider("http://127.0.0.1:9/v1")

    failure = await failed(nobody)

    assert (failure.type, failure.non_retryable) == ("ServiceUnavailable", False)
