"""The key of a tool call: the same whenever the call is tried again, and no other call's."""

from __future__ import annotations

import base64
import hashlib
import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.runnables.config import var_child_runnable_config

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

IDEMPOTENCY_KEY = "idempotency_key"
"""Where a tool's config has it, under `configurable`."""

CALL_KEY: ContextVar[str | None] = ContextVar("perdure_call_key", default=None)
"""The key of a call that is part of a larger step."""

_LIVE: ContextVar[tuple[RunnableConfig, str] | None] = ContextVar("perdure_live_key", default=None)


def idempotency_key() -> str:
    """The key of the tool call that asks, to be handed to whoever carries the effect out.

    In a run it is stable over retries, replays, workers and executions. Outside one nothing is retried, and each call
    has a fresh key. Raises `LookupError` where no tool is called.
    """
    config = var_child_runnable_config.get()
    if config is None:
        raise LookupError("idempotency_key() was called outside a tool. Call it in the tool's body.")
    key = config.get("configurable", {}).get(IDEMPOTENCY_KEY) or CALL_KEY.get()
    return str(key) if key else _live_key(config)


def _live_key(config: RunnableConfig) -> str:
    kept = _LIVE.get()
    if kept is None or kept[0] is not config:
        kept = (config, hashed(uuid4().hex))
        _LIVE.set(kept)
    return kept[1]


def hashed(*parts: Any) -> str:
    """52 characters, a to z and 2 to 7: short enough for whoever takes idempotency keys."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()
