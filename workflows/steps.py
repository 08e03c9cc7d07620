"""A step: one activity, its options, and its failure as the exception that graph code expects."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.tools import ToolException
from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

import agents.errors
from activities.sizes import packed

if TYPE_CHECKING:
    from agents.agent import StepOptions

Response = TypeVar("Response", bound=BaseModel)

MOST_SHOWN = 100
"""Characters of a summary: what Temporal's web UI shows, and in any script below the server's limit of 400 bytes."""


async def execute_step(
    activity: str, request: BaseModel, response: type[Response], *, options: StepOptions, summary: str
) -> Response:
    sent = packed(request, f"The request of {activity}", workflow.payload_converter())
    try:
        given: Response = await workflow.execute_activity(
            activity,
            sent,
            result_type=response,
            start_to_close_timeout=options.timeout,
            heartbeat_timeout=options.heartbeat,
            retry_policy=RetryPolicy(maximum_attempts=options.attempts),
            summary=shorten(summary),
        )
    except ActivityError as error:
        if (raised := rebuilt(error)) is not None:
            raise raised from error
        raise
    return given


def shorten(text: str, limit: int = MOST_SHOWN) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def rebuilt(error: ActivityError) -> Exception | None:
    """The exception that the activity raised, so that LangGraph's retry and error policies match it by type.

    Only Perdure's errors, LangChain's `ToolException` and Python's own exceptions are made again; for anything
    else, a cancellation among it, there is none.
    """
    cause = error.cause
    if not isinstance(cause, ApplicationError) or not cause.type:
        return None
    type_: Any = _REBUILT.get(cause.type) or getattr(builtins, cause.type, None)
    if not (isinstance(type_, type) and issubclass(type_, Exception)):
        return None
    try:
        made: Exception = type_(cause.message)
    except TypeError:  # some, as UnicodeDecodeError, take more than a message
        return None
    return made


_REBUILT: dict[str, type[Exception]] = {
    name: value
    for name, value in vars(agents.errors).items()
    if isinstance(value, type) and issubclass(value, agents.errors.PerdureError)
} | {"ToolException": ToolException}
