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
    "AgentFailed": "The called agent's run has a page and a result of its own, which say more.",
    "BlockingCall": "Move the call to a tool, or let the node run as an activity.",
    "CancelledError": "Start it again with `perdure run` when it is wanted after all.",
    "CheckpointPruned": "Keep more with Agent(..., checkpoints=…), or go back less far.",
    "CollectionMismatch": "Configure the embedder that made the collection, or ingest into another collection.",
    "CompensationFailed": "Undo by hand what the message names.",
    "ComputedTooLong": "Move the computation to a tool, or let the node run as an activity.",
    "ContextTooLong": "Ask for less, or use a model with a longer context.",
    "EffectsWouldRepeat": "Fork a later checkpoint, or say that the calls may be made again: --repeat-effects.",
    "GraphFailed": "The agent's code raised it; the log of the worker has its traceback.",
    "HistoryFull": "Split the node: a loop of the graph can go on for ever, a loop in a node can't.",
    "IdempotencyConflict": "Give what decides about the tool's arguments a node of its own.",
    "InvalidInput": "Correct what the run was given and start it again.",
    "MalformedToolCall": "Use another model, or give the tool simpler arguments.",
    "NoStore": "Give the worker a store: `perdure worker` uses Weaviate.",
    "NotBegun": "Give all workers the same version of the agent; the message says what could not be read.",
    "OutcomeUnknown": "Look the call up by its key where it takes effect; the tool's `reconcile` can do so by itself.",
    "PayloadMissing": "Restore the storage of large payloads, or start the run again.",
    "ProviderBusy": "Start it again later, or use another model: PERDURE_MODEL names it.",
    "ProviderRefused": "`perdure doctor` shows the model and the settings in use.",
    "ServiceUnavailable": "Start it again once the service answers; `perdure doctor` checks what Perdure uses.",
    "StepFailed": "The step raised it; the log of the worker has its traceback.",
    "StepTimedOut": "The step's limits are in its agent's StepOptions; raise them or make the step quicker.",
    "StorageMismatch": "Give all workers and clients the same PERDURE_STORAGE__URL.",
    "TerminatedError": "Start it again with `perdure run` when it is wanted after all.",
    "TimeoutError": "The step's limits are in its agent's StepOptions; raise them or make the step quicker.",
    "ThreadBusy": "Send it again when the turn that runs is over, or with another policy; `interrupt` stops that turn.",
    "ThreadClosed": "Send it to another thread, or again once this one has ended: it then goes on.",
    "ToolFailed": "The tool raised it; let the agent handle tool errors to tell the model instead.",
    "ToolProcessDied": "The log of the worker has what the process said; give the tool more memory, or mend it.",
    "ToolQuarantined": "The log of the worker has what the process said; give the tool more memory, or mend it.",
    "ToolTimedOut": "Make the tool quicker, or give its step more time: `tool_step` of the agent.",
    "UnknownAgent": "`perdure agents` lists the agents that are installed.",
    "UnknownCollection": "`perdure ingest` makes collections; `perdure doctor` lists those there are.",
    "UnknownModel": "PERDURE_MODEL, or the agent, names a model; the documentation lists the forms.",
    "UnknownTool": "Add the tool to the agent's `tools`, on all workers of the task queue.",
    "UnreadableDocument": "Correct the document or leave it out.",
    "UnsupportedValue": "Pass data: JSON values, messages, pydantic models, dataclasses.",
    "ValueTooLarge": "Return less, or a reference to where the rest is.",
    "WorkerLost": "Read the log of the worker; let a tool that ends it run in a process: `isolation` of the agent.",
}
"""What to do, by the type of the failure. docs/failures.md has the same types."""

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
