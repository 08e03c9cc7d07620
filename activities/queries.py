"""Queries that are asked again when nobody answers. Runs in activities and in clients."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.service import RPCError, RPCStatusCode

from agents.errors import ServiceUnavailable

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

PATIENCE = (timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=30))
"""For a query, and for the same again: a worker may have to replay the whole run first."""

_UNANSWERED = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION)


async def ask(handle: WorkflowHandle[Any, Any], query: str, answer: Any, *arguments: Any) -> Any:
    """The answer, of type `answer`. Raises `ServiceUnavailable`.

    A worker that goes away, or drops a finished run from its cache, may lose a query that comes in that moment. The
    server does not hand it to another one.
    """
    for patience in PATIENCE:
        try:
            return await handle.query(query, args=arguments, result_type=answer, rpc_timeout=patience)
        except RPCError as error:
            if error.status not in _UNANSWERED:
                raise
    raise ServiceUnavailable(f"No worker answers for {handle.id!r}. Start one with `perdure worker`.")
