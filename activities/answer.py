"""A chat model's answer, piece by piece. Runs in activities.

LangChain's own way readies each call for callbacks, and adds the pieces up once more for them. It is taken where
somebody listens, and for whatever is not a chat model alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.globals import get_debug
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models._utils import _normalize_messages
from langchain_core.language_models.chat_models import _gen_info_and_msg_metadata
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables.base import RunnableBinding
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers.context import _configure_hooks, _tracing_v2_is_enabled
from langchain_core.utils.env import env_var_is_set
from langchain_core.utils.utils import LC_ID_PREFIX
from langchain_core.utils.uuid import uuid7

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from langchain_core.language_models.base import LanguageModelInput
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable

_TRACED = frozenset({"ls_structured_output_format", "structured_output_format"})
"""Options that are for listeners alone."""

_REFUSED = ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER")
"""Variables of a tracing that LangChain has given up: it says so."""


def pieces_of(
    bound: Runnable[LanguageModelInput, BaseMessage], messages: Sequence[BaseMessage], tags: list[str]
) -> AsyncIterator[BaseMessage]:
    """What `bound.astream` gives."""
    model, options = _unbound(bound)
    if isinstance(model, BaseChatModel) and not _is_special(model, options):
        return _unheard(model, messages, **options)
    return bound.astream(list(messages), {"tags": tags})


def _unbound(bound: Runnable[Any, Any]) -> tuple[Runnable[Any, Any], dict[str, Any]]:
    if isinstance(bound, RunnableBinding) and not bound.config and not bound.config_factories:
        return bound.bound, {name: value for name, value in bound.kwargs.items() if name not in _TRACED}
    return bound, {}


def _is_special(model: BaseChatModel, options: dict[str, Any]) -> bool:
    """Whether LangChain does more for it than to hand on what the model streams."""
    return bool(
        type(model).astream is not BaseChatModel.astream
        or model.rate_limiter
        or model.output_version
        or var_child_runnable_config.get()
        or not model._should_stream(async_api=True, **{**options, "stream": True})  # noqa: SLF001
        or is_heard(model)
        or _tracing_v2_is_enabled()
        or any(map(env_var_is_set, _REFUSED))
    )


def is_heard(model: BaseChatModel) -> bool:
    """Whether callbacks of its own, debugging or LangChain's hooks take part in a model's calls, its tracing apart.

    `AsyncCallbackManager.configure` finds it out in ten times the time.
    """
    return bool(
        model.callbacks
        or model.verbose
        or get_debug()
        or any(variable.get() or (name and env_var_is_set(name)) for variable, _, _, name in _configure_hooks)
    )


async def _unheard(
    model: BaseChatModel, messages: Sequence[BaseMessage], *, stop: list[str] | None = None, **options: Any
) -> AsyncIterator[BaseMessage]:
    """As `BaseChatModel.astream` does it."""
    identifier = f"{LC_ID_PREFIX}-{uuid7()}"
    message: BaseMessage | None = None
    async for chunk in model._astream(_normalize_messages(messages), stop=stop, **options):  # noqa: SLF001
        message = chunk.message
        if message.id is None:
            message.id = identifier
        message.response_metadata = _gen_info_and_msg_metadata(chunk)
        yield message
    if isinstance(message, AIMessageChunk) and not message.chunk_position:
        empty: str | list[str | dict[Any, Any]] = "" if isinstance(message.content, str) else []
        yield AIMessageChunk(content=empty, chunk_position="last", id=identifier)
