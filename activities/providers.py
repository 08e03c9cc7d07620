"""Chat models by name: `openai:gpt-5-mini`, `http://host/v1#model`, `extractive`. Runs in workers, and live.

The only file that knows vendors. Their packages are optional and loaded when first asked for. Their retries
are off, because retries belong to Temporal. Their keys come from the environment and are kept out of names.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

from activities.masking import mask_credentials
from agents.errors import UnknownModel, known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel

EXTRACTIVE = "extractive"
SILENCE_LIMIT = 180.0
"""Seconds that a provider may be silent, be it before the first token or between two."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`key` is the variable that holds its key, `extra` what to install, `default` the model used unasked."""

    name: str
    module: str
    class_name: str
    extra: str
    key: str | None = None
    default: str | None = None


OPENAI = Provider("openai", "langchain_openai", "ChatOpenAI", "openai", "OPENAI_API_KEY", "gpt-5-mini")
ANTHROPIC = Provider(
    "anthropic", "langchain_anthropic", "ChatAnthropic", "anthropic", "ANTHROPIC_API_KEY", "claude-sonnet-4-5"
)
OLLAMA = Provider("ollama", "langchain_ollama", "ChatOllama", "ollama")
PROVIDERS = {provider.name: provider for provider in (OPENAI, ANTHROPIC, OLLAMA)}


def resolve_model(spec: str | None, environ: Mapping[str, str]) -> str:
    """The id of the model to use: `spec` checked, or, without one, that of a provider whose key is there."""
    if spec is not None:
        _check(spec)
        return spec
    for provider in PROVIDERS.values():
        if provider.key and provider.default and environ.get(provider.key):
            return f"{provider.name}:{provider.default}"
    return EXTRACTIVE


def chat_model(model_id: str, environ: Mapping[str, str], *, silence_limit: float = SILENCE_LIMIT) -> BaseChatModel:
    """The model `model_id`, ready to be called. Raises UnknownModel where a package or a key is missing."""
    _check(model_id)
    if model_id == EXTRACTIVE:
        return cast("BaseChatModel", importlib.import_module("agents.extractive").ExtractiveModel())
    if _is_address(model_id):
        return _compatible(model_id, environ, silence_limit)
    name, _, model = model_id.partition(":")
    options = _options(PROVIDERS[name], environ, silence_limit)
    return _make(PROVIDERS[name], model_id, model=model, **options)


def _check(spec: str) -> None:
    if spec == EXTRACTIVE:
        return
    if _is_address(spec):
        _check_address(spec)
        return
    name, colon, model = spec.partition(":")
    if not colon or not model or name not in PROVIDERS:
        raise UnknownModel(
            f"Unknown model {mask_credentials(spec)!r}. Write 'provider:model' ('openai:gpt-5-mini'), "
            f"'http://host:port/v1#model' for an OpenAI-compatible server, or {EXTRACTIVE!r}. "
            f"Providers: {known(PROVIDERS)}"
        )


def _is_address(spec: str) -> bool:
    return spec.startswith(("http://", "https://"))


def _check_address(spec: str) -> None:
    parts = urlsplit(spec)
    if parts.username or parts.password or parts.query:
        raise UnknownModel(
            f"The model's address at {parts.hostname!r} holds a user, a password or a query. "
            f"Leave only http://host:port/v1#model and put the key into {OPENAI.key}."
        )
    if not parts.hostname or not parts.fragment:
        raise UnknownModel(f"Model {spec!r} names no model: end the address with '#' and its name, as in '…/v1#qwen3'.")


def _compatible(model_id: str, environ: Mapping[str, str], silence_limit: float) -> BaseChatModel:
    """A server that speaks OpenAI's protocol. Many need no key, but the client insists on one."""
    parts = urlsplit(model_id)
    environ = {**environ, "OPENAI_BASE_URL": urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))}
    environ["OPENAI_API_KEY"] = environ.get("OPENAI_API_KEY") or "none"
    options = _options(OPENAI, environ, silence_limit)
    return _make(OPENAI, model_id, model=parts.fragment, use_responses_api=False, **options)


def _options(provider: Provider, environ: Mapping[str, str], silence_limit: float) -> dict[str, Any]:
    """The constructor's arguments; each vendor has its own words for the same things."""
    if provider is OLLAMA:
        return {"base_url": environ.get("OLLAMA_HOST"), "client_kwargs": {"timeout": silence_limit}}
    options = {
        "api_key": _key(provider, environ),
        "timeout": silence_limit,
        "max_retries": 0,
        "stream_usage": True,
    }
    if base_url := environ.get(f"{provider.name.upper()}_BASE_URL"):
        options["base_url"] = base_url
    if provider is OPENAI:
        options["stream_chunk_timeout"] = silence_limit
    return options


def _key(provider: Provider, environ: Mapping[str, str]) -> str:
    key = environ.get(provider.key or "")
    if not key:
        raise UnknownModel(
            f"Models of {provider.name!r} need a key, and {provider.key} is not set. "
            f"Set it where the worker starts, or choose another model with PERDURE_MODEL."
        )
    return key


def _make(provider: Provider, model_id: str, **options: Any) -> BaseChatModel:
    try:
        module = importlib.import_module(provider.module)
    except ModuleNotFoundError as error:
        if error.name != provider.module:
            raise
        raise UnknownModel(
            f"Model {model_id!r} needs a package that is not installed. "
            f"Run `pip install 'perdure[{provider.extra}]'` where the worker runs."
        ) from None
    return cast("BaseChatModel", getattr(module, provider.class_name)(**options))
