"""An answer is the same whether or not LangChain's callbacks take part. Fails when LangChain streams in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.globals import set_debug
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.rate_limiters import InMemoryRateLimiter
from langsmith.utils import get_env_var

from activities.answer import pieces_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ASKED = [HumanMessage("Late?")]


class Model(BaseChatModel):
    """Streams what it was made with."""

    given: list[ChatGenerationChunk]

    @property
    def _llm_type(self) -> str:
        return "model"

    def _generate(self, *_args: Any, **_options: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Whole."))])

    async def _astream(self, *_args: Any, **options: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self.given:
            yield chunk.model_copy(deep=True)
        yield ChatGenerationChunk(
            message=AIMessageChunk(content=""), generation_info={"options": repr(sorted(options.items()))}
        )


class Listener(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[Any] = []

    async def on_llm_new_token(self, token: Any, **_fields: Any) -> None:
        self.tokens.append(token)


def chunk(content: Any = "", info: dict[str, Any] | None = None, **fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=content, **fields), generation_info=info)


ANSWERS = {
    "words": [chunk("Two "), chunk("days.", {"finish_reason": "stop"}, response_metadata={"model_name": "m"})],
    "own id": [chunk("Two ", id="msg_1"), chunk("days.", id="msg_1")],
    "last": [chunk("Two days.", chunk_position="last")],
    "blocks": [chunk([{"type": "text", "text": "Two", "index": 0}])],
    "call": [
        chunk(tool_call_chunks=[{"name": "find", "args": '{"a":', "id": "1", "index": 0, "type": "tool_call_chunk"}]),
        chunk(tool_call_chunks=[{"name": None, "args": "1}", "id": None, "index": 0, "type": "tool_call_chunk"}]),
    ],
    "usage": [chunk("Two", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3})],
}


@pytest.mark.parametrize(
    "options", [{}, {"stop": ["x"], "temperature": 0}, {"ls_structured_output_format": {}}], ids=str
)
@pytest.mark.parametrize("given", ANSWERS.values(), ids=ANSWERS)
async def test_the_pieces_are_those_of_langchain(given: list[ChatGenerationChunk], options: dict[str, Any]) -> None:
    model = Model(given=given)
    bound = model.bind(**options) if options else model

    ours = [piece async for piece in pieces_of(bound, ASKED, ["tag"])]
    theirs = [piece async for piece in bound.astream(ASKED, {"tags": ["tag"]})]

    assert _without_runs(ours) == _without_runs(theirs)


def _without_runs(pieces: list[Any]) -> list[dict[str, Any]]:
    """A run's id differs from run to run, and is one for all pieces of a run."""
    runs = {piece.id for piece in pieces if piece.id.startswith("lc_run--")}
    assert len(runs) <= 1
    return [piece.model_dump() | {"id": "run" if piece.id in runs else piece.id} for piece in pieces]


async def test_who_listens_hears_it() -> None:
    listener = Listener()
    model = Model(given=ANSWERS["words"], callbacks=[listener])

    assert [piece.text async for piece in pieces_of(model, ASKED, [])][:2] == ["Two ", "days."]
    assert listener.tokens[:2] == ["Two ", "days."]


@pytest.mark.parametrize("variable", ["LANGSMITH_TRACING", "LANGCHAIN_TRACING"])
async def test_tracing_is_left_to_langchain(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cache: Any = get_env_var
    cache.cache_clear()
    monkeypatch.setenv(variable, "true")
    try:
        assert await _is_left(Model(given=[]), monkeypatch)
    finally:
        cache.cache_clear()


async def test_debugging_is_left_to_langchain(monkeypatch: pytest.MonkeyPatch) -> None:
    set_debug(True)
    try:
        assert await _is_left(Model(given=[]), monkeypatch)
    finally:
        set_debug(False)


@pytest.mark.parametrize(
    "fields",
    [
        {"verbose": True},
        {"output_version": "v1"},
        {"disable_streaming": True},
        {"rate_limiter": InMemoryRateLimiter()},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_what_langchain_does_more_is_left_to_it(fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _is_left(Model(given=[], **fields), monkeypatch)


async def test_a_plain_call_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not await _is_left(Model(given=[]), monkeypatch)


async def _is_left(model: Model, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the model, bound to an option, is streamed by the binding's own `astream`."""
    bound, asked = model.bind(temperature=0), list[Any]()

    async def astream(*args: Any, **_options: Any) -> AsyncIterator[AIMessage]:
        asked.append(args)
        yield AIMessage("")

    monkeypatch.setattr(type(bound), "astream", astream)
    async for _ in pieces_of(bound, ASKED, []):
        pass
    return bool(asked)
