"""What an activity raised, as the exception that graph code expects. Runs in workflows."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from typing import Any

from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, TimeoutType  # noqa: A004
from temporalio.workflow import NondeterminismError

import agents.errors
from activities.compaction import COMPACT
from activities.failures import without_words
from activities.model import CALL_MODEL
from activities.retrieval import RETRIEVE
from activities.store import STORE
from agents.errors import PerdureError, StepFailed, StepTimedOut, WorkerLost


def rebuilt(error: ActivityError | ApplicationError, activity: str) -> Exception | None:
    """The exception that the activity raised, so that LangGraph's retry and error policies match it by type.

    Its class is one that this process has loaded already, nothing is imported for it; or the one of Perdure's that says
    what it means, where it comes from the client of a model or a service. For a cancellation there is none.
    """
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, TimeoutError):
        return _timed_out(cause, activity)
    if not isinstance(cause, ApplicationError) or not cause.type:
        return None
    class_ = _loaded(origin_of(cause))
    if cause.type in _OWN and (class_ is None or issubclass(class_, PerdureError) or activity in _CLIENTS):
        return _OWN[cause.type](cause.message)
    if class_ is None:
        return StepFailed(f"{cause.type}: {cause.message} (step {activity})")
    detail = _detail(cause)
    said = detail.get("said") or cause.message
    arguments = detail.get("arguments")
    return _again(class_, [said] if arguments is None else arguments, said)


def meaning_of(error: BaseException) -> BaseException:
    """The error of Perdure's that says what a step's failure means, where the graph saw what the step's code raised."""
    step = error.__cause__
    cause = step.cause if isinstance(step, ActivityError) else step
    if isinstance(cause, ApplicationError) and cause.type in _OWN:
        return _OWN[cause.type](cause.message)
    return error


def _again(class_: type[Exception], arguments: list[Any], said: str) -> Exception:
    """As it was raised. Where its class can't be made to say the same again, for want of what else it holds, it is of a
    class below it that can, or below the next of its bases that lets itself be made.
    """
    for make in (class_, partial(class_.__new__, class_)):
        with suppress(Exception):
            made = make(*arguments)
            if (str(made) or without_words(made)) == said:
                return made
    for base in class_.__mro__:
        with suppress(TypeError):
            like: type[Exception] = type(class_.__name__, (base,), _words(class_, said))
            made = like.__new__(like)
            made.args = tuple(arguments)
            return made
    raise AssertionError(class_)  # `Exception` is among them


def _words(class_: type[Exception], said: str) -> dict[str, Any]:
    return {"__module__": class_.__module__, "__qualname__": class_.__qualname__, "__str__": lambda _self: said}


def _timed_out(cause: TimeoutError, activity: str) -> Exception:
    """What the server alone has seen: nobody was there any more to say more."""
    match cause.type:
        case TimeoutType.HEARTBEAT:
            return WorkerLost(
                f"The worker that ran {activity!r} died or went silent, in each attempt. Its log says why; a step that "
                "ends its process (os._exit, a crash in C code, too much memory) does it each time."
            )
        case TimeoutType.SCHEDULE_TO_START:
            return StepTimedOut(f"No worker took {activity!r} in time. Is there one on its task queue?")
        case _:
            return StepTimedOut(f"{activity!r} took longer than its step may, in each attempt. Give it more time.")


_OWN: dict[str, type[Exception]] = {
    name: value
    for name, value in vars(agents.errors).items()
    if isinstance(value, type) and issubclass(value, PerdureError)
}

_CLIENTS = frozenset({CALL_MODEL, RETRIEVE, STORE, COMPACT})
"""Steps whose exceptions are those of clients, of which each has classes of its own."""


def origin_of(cause: ApplicationError) -> str:
    """The class, as `activities.failures.FailureDetail` tells it, of what code of an activity raised."""
    return str(_detail(cause).get("origin", ""))


def _detail(cause: ApplicationError) -> dict[str, Any]:
    """A `FailureDetail`, where the failure has one."""
    detail = cause.details[0] if cause.details else None
    return detail if isinstance(detail, dict) else {}


def _loaded(origin: str) -> type[Exception] | None:
    """A nondeterminism error of a tool, that looks into other workflows, is none of this one, whose task would fail."""
    module, _, name = origin.partition(":")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (
        found if isinstance(found, type) and issubclass(found, Exception) and found is not NondeterminismError else None
    )
