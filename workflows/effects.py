"""Carries a tool call out as the tool's effect demands. Runs in workflows.

What must not be repeated is started once: Temporal is told one attempt. Where nobody can say what became of it, the
outcome is unknown, and the tool's `reconcile`, a person, the model or the end of the run settles it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, assert_never

from langchain_core.messages import ToolMessage
from langchain_core.tools import ToolException
from langgraph.errors import GraphInterrupt, ParentCommand
from langgraph.runtime import get_runtime
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as StepTimeoutError

from activities.effects import EffectResponse
from activities.tool import ToolRequest, ToolResponse
from activities.wire import decode, encode
from agents.approving import remarked, shown
from agents.errors import (
    NotBegun,
    OutcomeUnknown,
    StepFailed,
    StorageMismatch,
    ToolFailed,
    ToolProcessDied,
    ToolQuarantined,
    ToolTimedOut,
)
from workflows.answers import UNKNOWN
from workflows.approving import approve_or_ask, interrupt_of, question_about
from workflows.calls import Outcome, failure_of
from workflows.events import told_already
from workflows.raised import origin_of, rebuilt
from workflows.reconciliation import reconcile
from workflows.saga import Undoing
from workflows.steps import CancelledStep, execute_step, unpacked
from workflows.streaming import push

if TYPE_CHECKING:
    from activities.wire import Types
    from agents.approval import Approval
    from agents.options import StepOptions, ToolOptions
    from workflows.calls import Call
    from workflows.run import Run

LOST = frozenset(
    {
        *("WorkerShutdown", "ActivityPause", "ActivityReset"),
        *(error.__name__ for error in (ToolProcessDied, ToolQuarantined, ToolTimedOut)),
    }
)
"""Failures that say that an attempt was left in its middle: by the worker's shutdown, by an operator's commands, by the
end of the tool's process."""

NOT_BEGUN = frozenset({"NotFoundError", StorageMismatch.__name__, NotBegun.__name__})
"""Those that come before the body: the worker does not know the tool, or could not read what it was sent."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool, on its way. `shown` are the arguments that the model chose, encoded."""

    run: Run
    call: Call
    request: ToolRequest
    options: ToolOptions
    step: StepOptions
    types: Types
    shown: dict[str, Any]
    summary: str
    approval: Approval
    node: str | None
    has_artifact: bool = False

    async def carry_out(self) -> Any:
        """What the tool's body returned or raised, now or when the task ran before. Raises `GraphInterrupt`."""
        call = self.call
        while call.outcome is None or call.outcome.kind == "unknown":
            if not call.approved and call.question is None:
                self._approve_or_ask()
            if call.question:
                raise GraphInterrupt((interrupt_of(call.question, self.types),))
            await call.advance(self._start if call.outcome is None else self._settle)
        outcome = call.outcome
        if self.options.effect == "read":
            call.outcome = None
        return self._given(outcome)

    def _approve_or_ask(self) -> None:
        approve_or_ask(
            self.run,
            self.call,
            self.approval,
            effect=self.options.effect,
            shown=self.shown,
            types=self.types,
            node=self.node,
        )

    async def _start(self) -> None:
        call = self.call
        call.starts += 1
        step = self.step if self.options.repeatable else replace(self.step, attempts=1, local=False)
        arguments = self.request.arguments | (call.edited or {})
        answers = {"answers": call.answers, "inner_answers": call.inner_answers}
        request = self.request.model_copy(update={"arguments": arguments, **answers})
        summary = self.summary if call.edited is None else shown(call.edited)
        try:
            response = await execute_step(request.tool, request, ToolResponse, options=step, summary=summary)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 -- whatever it is, it is noted or raised again
            await self._failed(error)
            return
        self.run.used(tool_calls=1)
        with told_already():
            for item in response.written:
                get_runtime().stream_writer(decode(item, self.types))
        self._responded(response)

    def _responded(self, response: ToolResponse) -> None:
        match response.kind:
            case "value" | "parent_command" | "error":
                self._came_to(Outcome(kind=response.kind, value=response.value, pushed=response.pushed))
            case "interrupt" | "inner_interrupt":
                kind: Literal["body", "inner"] = "body" if response.kind == "interrupt" else "inner"
                self.call.ask(kind, response.value, node=self.node, answer_schema=response.answer_schema)

    async def _failed(self, error: BaseException) -> None:
        """Notes what an attempt came to that gave nothing back. What may be repeated leaves no note, and raises."""
        step = _step_of(error)
        if isinstance(error, CancelledStep):
            if error.given is not None:
                self._responded(unpacked(error.given, f"The result of {self.request.tool}", ToolResponse))
            if error.given is not None or (self._is_started_once and _did_nothing(step)):
                raise error
        elif isinstance(error, asyncio.CancelledError):
            raise error  # before the step was sent
        cause = step.cause if step else None
        is_lost = is_cancelled_exception(error) or _is_lost(cause)
        if is_lost and self.options.effect != "read":
            self._may_have_happened()
        if self.options.repeatable:
            raise error
        if is_lost:
            self.call.outcome = Outcome(kind="unknown")
        elif not (isinstance(cause, ApplicationError) and await self._may_start_again(cause)):
            self.call.outcome = failure_of(cause if isinstance(cause, ApplicationError) else error)
        if is_cancelled_exception(error):
            raise error

    @property
    def _is_started_once(self) -> bool:
        """Else the server tells of a step that is between two attempts as of one that was never started."""
        return not self.options.repeatable or self.step.attempts == 1

    async def _may_start_again(self, cause: ApplicationError) -> bool:
        """Whether the body had not begun. Then a pause, as Temporal makes one between two attempts."""
        again = _kind(cause) in NOT_BEGUN and self.call.starts < self.step.attempts
        if again:
            await asyncio.sleep(min(2 ** (self.call.starts - 1), 30))
        return again

    def _came_to(self, outcome: Outcome) -> None:
        self.call.outcome = outcome
        self.run.undoings.pop(self.call.key, None)
        if outcome.kind in ("value", "parent_command"):
            self._took_effect(Undoing(tool=self.request.tool, value=outcome.value))

    def _may_have_happened(self) -> None:
        self._took_effect(Undoing(tool=self.request.tool, is_known=False))

    def _took_effect(self, undoing: Undoing) -> None:
        if self.options.compensate:
            self.run.undoings[self.call.key] = undoing
        elif self.options.effect != "read":
            self.run.effects[undoing.tool] += 1

    async def _settle(self) -> None:
        """Turns an unknown outcome into a known one, or into a question."""
        found = await self._reconciled()
        match found.state:
            case "done":
                self._came_to(Outcome(kind="value", value=found.value))
            case "not_done" if self.call.starts < self.step.attempts:
                self.call.outcome = None
            case "not_done":
                self._came_to(failure_of(StepFailed(f"{self.call.named} was started in vain each time.")))
            case "unknown":
                self._hand_over()

    async def _reconciled(self) -> EffectResponse:
        if self.options.reconcile is None:
            return EffectResponse(state="unknown")
        try:
            return await reconcile(self.run.agent, self.request.tool, self.call.key, self.step)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled_exception(error):
                raise
            return EffectResponse(state="unknown")

    def _hand_over(self) -> None:
        match self.options.when_unknown:
            case "tell_model":
                self.call.outcome = Outcome(kind="told", value=encode(self.call.unknown))
            case "fail_run":
                self.call.outcome = failure_of(OutcomeUnknown(self.call.unknown))
            case "ask_person":
                question = question_about(self.call, "unknown_outcome", self.shown, UNKNOWN)
                self.call.ask("unknown", encode(question), node=self.node)
            case policy:
                assert_never(policy)

    def _given(self, outcome: Outcome) -> Any:
        value = decode(outcome.value, self.types)
        push(outcome.pushed, self.types)
        match outcome.kind:
            case "value":
                return self._remarked(value)
            case "given":
                return (value, None) if self.has_artifact else value
            case "parent_command":
                raise ParentCommand(value)
            case "error":
                raise ToolException(value)
            case "told" | "rejected":
                return self._told(outcome.kind, value)
            case "failed":
                error = ApplicationError(value["message"], *value["details"], type=value["type"])
                if (raised := rebuilt(error, self.request.tool)) is not None:
                    raise raised from error
                raise error
            case _:
                raise OutcomeUnknown(self.call.unknown)

    def _told(self, kind: str, text: str) -> Any:
        """The model is told in place of a result; code that called the tool itself can't read that: an error."""
        if self.request.call_id is None:
            raise (ToolFailed if kind == "rejected" else OutcomeUnknown)(text)
        message = ToolMessage(text, tool_call_id=self.request.call_id, name=self.request.tool, status="error")
        return (message, None) if self.has_artifact else message

    def _remarked(self, value: Any) -> Any:
        """Code that called the tool itself gets the result alone."""
        if self.call.edited is None or self.request.call_id is None:
            return value
        return remarked(value, self.call.edited, has_artifact=self.has_artifact)


def _step_of(error: BaseException) -> ActivityError | None:
    """How the step ended that `error` came from."""
    found = error.error if isinstance(error, CancelledStep) else error
    found = found if isinstance(found, ActivityError) or found is None else found.__cause__
    return found if isinstance(found, ActivityError) else None


def _did_nothing(step: ActivityError | None) -> bool:
    """Whether no worker took it up, or the one that did saw in time that it was cancelled."""
    if step is None:
        return False
    if isinstance(step.cause, CancelledError):
        return not step.started_event_id
    return isinstance(step.cause, ApplicationError) and _kind(step.cause) in NOT_BEGUN


def _is_lost(cause: BaseException | None) -> bool:
    """Whether a step that was started ended so that nobody knows how far it came."""
    return isinstance(cause, StepTimeoutError) or (isinstance(cause, ApplicationError) and _kind(cause) in LOST)


def _kind(cause: ApplicationError) -> str | None:
    """The type of a failure that is the SDK's or ours. A tool's own exception may have a class of any name."""
    return cause.type if origin_of(cause) in {"", f"{NotBegun.__module__}:{cause.type}"} else None
