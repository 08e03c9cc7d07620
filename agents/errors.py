"""The errors that Perdure raises itself. Each class states its fate: retry, tell the model, or fail the run.

PerdureError
├── RetryableError              retry
│   ├── ProviderBusy              429: as many as the provider allows, when it says so
│   ├── ServiceUnavailable        5xx, refused connection, time-out
│   ├── StorageMismatch           a payload is kept where this process does not look
│   ├── MalformedToolCall         a model's call of a tool can't be read
│   ├── NotBegun                  a step's body did not begin: what it was sent can't be read, or nobody wants it now
│   ├── ToolProcessDied           the process that a tool ran in ended, the worker did not
│   └── ToolTimedOut              a tool took longer than its step may; says what it was doing
├── ToolFailed                  tell the model
└── FatalError                  fail the run
    ├── InvalidInput              the caller's words are off
    ├── UnknownAgent
    ├── UnknownTool
    ├── UnknownModel
    ├── ProviderRefused           400, 401, 403, 404: the same call would be refused again
    ├── ContextTooLong
    ├── UnknownCollection
    ├── CollectionMismatch        a collection was made by another embedding model
    ├── NoStore                   a worker was given no store, and a graph uses it
    ├── UnsupportedValue          a value that can't cross the boundary with its type
    ├── ValueTooLarge             a value that Temporal does not take
    ├── HistoryFull               one superstep made more steps than an execution can hold
    ├── CheckpointPruned          an old state that a run no longer keeps
    ├── EffectsWouldRepeat        a fork would make calls again that changed something
    ├── PayloadMissing            a payload is gone from the storage, or has been changed
    ├── UnreadableDocument        quarantined: reported, and the rest goes on
    ├── BlockingCall              graph code did I/O inside a workflow
    ├── ComputedTooLong           graph code computed for seconds inside a workflow
    ├── ToolQuarantined           a tool ended its process for the third time
    ├── WorkerLost                the worker that ran a step went silent, in each attempt
    ├── StepTimedOut              a step took too long, in each attempt
    ├── StepFailed                a step's exception, of a class that the workflow does not know
    ├── OutcomeUnknown            nobody knows whether a tool's effect was carried out
    ├── IdempotencyConflict       a call was made again with other arguments
    ├── CompensationFailed        what a run had done could not be undone
    ├── AgentFailed               another agent, called as a child, failed
    ├── ThreadBusy                a turn that a thread does not take at the moment
    ├── ThreadClosed              a thread that takes no more turns
    └── GraphFailed               an exception out of the agent's own graph
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from langchain_core.tools import ToolException

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Fate = Literal["retry", "tell_model", "fail_run"]


class PerdureError(Exception):
    fate: ClassVar[Fate] = "fail_run"


class RetryableError(PerdureError):
    """`retry_after` is in seconds: how long the other side asked to be left alone, `None` if it did not say."""

    fate: ClassVar[Fate] = "retry"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderBusy(RetryableError):
    pass


class ServiceUnavailable(RetryableError):
    pass


class NotBegun(RetryableError):
    pass


class StorageMismatch(RetryableError):
    pass


class MalformedToolCall(RetryableError):
    pass


class ToolProcessDied(RetryableError):
    pass


class ToolTimedOut(RetryableError):
    pass


class ToolFailed(PerdureError, ToolException):
    fate: ClassVar[Fate] = "tell_model"


class FatalError(PerdureError):
    pass


class InvalidInput(FatalError):
    pass


class UnknownAgent(FatalError):
    pass


class UnknownTool(FatalError):
    pass


class UnknownModel(FatalError):
    pass


class ProviderRefused(FatalError):
    pass


class ContextTooLong(FatalError):
    pass


class UnknownCollection(FatalError):
    pass


class CollectionMismatch(FatalError):
    pass


class NoStore(FatalError):
    pass


class UnsupportedValue(FatalError):
    pass


class ValueTooLarge(FatalError):
    pass


class HistoryFull(FatalError):
    pass


class CheckpointPruned(FatalError):
    pass


class EffectsWouldRepeat(FatalError):
    """`effects` are the calls: their tool, key, arguments in short, effect and outcome."""

    def __init__(self, message: str, effects: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.effects = [*effects]


class PayloadMissing(FatalError):
    pass


class UnreadableDocument(FatalError):
    pass


class BlockingCall(FatalError):
    pass


class ComputedTooLong(FatalError):
    pass


class ToolQuarantined(FatalError):
    pass


class WorkerLost(FatalError):
    pass


class StepTimedOut(FatalError):
    pass


class StepFailed(FatalError):
    pass


class OutcomeUnknown(FatalError):
    pass


class IdempotencyConflict(FatalError):
    pass


class CompensationFailed(FatalError):
    pass


class AgentFailed(FatalError):
    pass


class ThreadBusy(FatalError):
    pass


class ThreadClosed(FatalError):
    pass


class GraphFailed(FatalError):
    pass


def known(names: Iterable[str]) -> str:
    """The end of an error message that says what there is: `Known: 'orders', 'research'.`"""
    listed = ", ".join(repr(name) for name in sorted(names))
    return f"Known: {listed}." if listed else "None are known."
