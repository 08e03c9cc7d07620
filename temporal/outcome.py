"""How a run ended badly, as one error that names the step, the reason and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
)
from temporalio.exceptions import (
    TimeoutError as StepTimeoutError,
)

from agents.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from temporalio.client import WorkflowFailureError

REMEDIES = {
    "CancelledError": "Start it again with `perdure run` when it is wanted after all.",
    "TerminatedError": "Start it again with `perdure run` when it is wanted after all.",
    "TimeoutError": "The step's limits are in its agent's StepOptions; raise them or make the step quicker.",
    "ProviderBusy": "Start it again later, or use another model: PERDURE_MODEL names it.",
    "ServiceUnavailable": "Start it again once the service answers; `perdure doctor` checks what Perdure uses.",
    "ProviderRefused": "`perdure doctor` shows the model and the settings in use.",
    "ContextTooLong": "Ask for less, or use a model with a longer context.",
    "UnknownAgent": "`perdure agents` lists the agents that are installed.",
    "OutcomeUnknown": "Look the call up by its key where it takes effect; the tool's `reconcile` can do so by itself.",
    "IdempotencyConflict": "Give what decides about the tool's arguments a node of its own.",
    "CompensationFailed": "Undo by hand what the message names.",
    "GraphFailed": "The agent's code raised it; the log of the worker has its traceback.",
}
CALLERS_MISTAKES = frozenset({"InvalidInput", "UnknownAgent"})


class RunFailed(FatalError):
    """`type` is the name of the error's class, `step` the activity that raised it where one did."""

    def __init__(self, run: str, type_: str, message: str, *, step: str | None = None) -> None:
        where = f" in step {step!r}" if step else ""
        super().__init__(f"Run {run!r} failed{where} with {type_}: {message}")
        self.run = run
        self.type = type_
        self.message = message
        self.step = step

    @property
    def remedy(self) -> str:
        return REMEDIES.get(self.type, "Its page in the web UI and the log of the worker say more.")

    @property
    def is_callers_mistake(self) -> bool:
        return self.type in CALLERS_MISTAKES


def failed_run(run: str, error: WorkflowFailureError) -> RunFailed:
    """What `error` wraps: the outermost error that was raised by name, or Temporal's own reason."""
    chain = list(_chain(error.cause))
    step = next((cause.activity_type for cause in chain if isinstance(cause, ActivityError)), None)
    wrappers = (ActivityError, ChildWorkflowError)
    cause = next((cause for cause in chain if not isinstance(cause, wrappers)), chain[-1])
    return RunFailed(run, _type(cause), _message(cause), step=step)


def _chain(cause: BaseException | None) -> Iterator[BaseException]:
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _type(cause: BaseException) -> str:
    return cause.type if isinstance(cause, ApplicationError) and cause.type else type(cause).__name__


def _message(cause: BaseException) -> str:
    match cause:
        case ApplicationError():
            return cause.message
        case StepTimeoutError():
            kind = cause.type.name.replace("_", " ").lower() if cause.type else "its"
            return f"It took longer than its {kind} limit."
        case CancelledError():
            return "It was cancelled."
        case TerminatedError():
            return f"Somebody ended it: {cause.message}."
        case _:
            return str(cause)
