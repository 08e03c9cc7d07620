"""Everything that a workflow's code raises becomes a failure of the run. Runs in workflows.

Left alone, an exception fails the workflow task, which the server retries for ever. That is right for one kind only: a
nondeterminism error after a deploy, which ends when the old code is back.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.worker.workflow_sandbox import RestrictedWorkflowAccessError
from temporalio.workflow import ContinueAsNewError, NondeterminismError

from activities.failures import last_frames, words_of
from activities.masking import mask_credentials
from agents.errors import BlockingCall, GraphFailed, PerdureError
from workflows.determinism import Evicted
from workflows.raised import meaning_of
from workflows.steps import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator


Value = TypeVar("Value")


class Moving(Exception):
    """What runs is to go on in a new execution, with `answers`."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.answers = answers


LEAVING = (Evicted, NondeterminismError, ContinueAsNewError, Moving, GeneratorExit)
"""What says nothing of the run itself: it is dropped from a cache, it goes on elsewhere, or its code is another."""

MAX_MESSAGE = 2_000
"""Characters of a failure's message; the server cuts failures of more than a few kilobytes."""

NO_WAITING = "In a workflow `result()` can't wait for a task: make the function `async`, and `await` the task."


@contextmanager
def failing_the_run() -> Iterator[None]:
    """What the block raises fails the run, and says what it was. Cancellation stays what it is."""
    try:
        yield
    except RestrictedWorkflowAccessError as error:  # a nondeterminism error that no deploy ends
        raise failure(BlockingCall(str(error))) from None
    except (*LEAVING, asyncio.CancelledError):
        raise
    except BaseException as error:
        if is_cancelled_exception(error):
            raise
        # without its cause, which may hold anything of any length
        raise failure(error).with_traceback(last_frames(error.__traceback__)) from None


def failure(error: BaseException) -> ApplicationError:
    """A failure that names the error by its class, and says where in the graph it came from."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ApplicationError):
        return error
    meaning = meaning_of(error)
    known = isinstance(meaning, PerdureError)
    return ApplicationError(
        _bounded(mask_credentials(_said(meaning)[:MAX_MESSAGE]) + _place(error)),
        type=type(meaning).__name__ if known else GraphFailed.__name__,
        non_retryable=True,
    )


def _said(error: BaseException) -> str:
    match error:
        case PerdureError():
            return str(error)
        case ActivityError(cause=ApplicationError() as cause):
            return f"{cause.type}: {cause.message} (step {error.activity_type})"
        case ActivityError():
            return f"Step {error.activity_type} failed: {error.cause or error}"
        case asyncio.InvalidStateError():
            return f"{type(error).__name__}: {error} {NO_WAITING}"
        case _:
            return f"{type(error).__name__}: {words_of(error)}"


def _place(error: BaseException) -> str:
    """LangGraph notes the node on the exceptions that it lets through."""
    notes = getattr(error, "__notes__", [])
    return f" ({shorten(notes[0])})" if notes else ""


def _bounded(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 1]}…"
