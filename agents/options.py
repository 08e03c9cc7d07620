"""How steps are carried out, and what a tool does to the world.

An agent says it for all its steps of one kind, `durable` for one tool, `step_config` for one call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from langchain_core.tools import BaseTool

from agents.approval import Approval, approval_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.runnables import RunnableConfig

Effect = Literal["read", "idempotent", "at_most_once", "destructive"]
"""`read` changes nothing; `idempotent` may be repeated with the same key; `at_most_once` is never started again by
itself; `destructive` isn't either, and a person approves it first, unless the tool's own `approve` says otherwise.
"""

WhenUnknown = Literal["tell_model", "ask_person", "fail_run"]

REPEATABLE: frozenset[Effect] = frozenset({"read", "idempotent"})

TOOL_OPTIONS = "perdure"
STEP_OPTIONS = "perdure_step"
"""The keys under which a tool's metadata and a config's metadata hold them."""

AnyTool = TypeVar("AnyTool", bound=BaseTool)


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How one kind of step is carried out.

    Each attempt has `timeout`; a worker that is silent for `heartbeat` is given up. `task_queue` names the workers
    that take the step, by default those of the run; of the steps that wait there, those with the lowest `priority`,
    from 1 to 5, go first. `summary` is what lists of steps show beside its name.

    A `local` step runs in the worker that has the run, without a way over the server: for what is quick, cheap and
    may be repeated. When a worker dies, the local steps since the last ordinary one run again.
    """

    timeout: timedelta = timedelta(minutes=5)
    heartbeat: timedelta = timedelta(seconds=10)
    attempts: int = 5
    task_queue: str | None = None
    priority: int | None = None
    local: bool = False
    summary: str | None = None

    def __post_init__(self) -> None:
        if self.local and (self.task_queue or self.priority):
            raise ValueError("A local step runs in the worker that has the run: leave `task_queue` and `priority` out.")


@dataclass(frozen=True, slots=True)
class Done:
    """What `reconcile` answers when it finds the effect. `value` is what the tool would have returned."""

    value: Any = None


Reconciled = Done | Literal["not_done", "unknown"]


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """What a tool does to the world, and what follows from it.

    `step` goes before the agent's `tool_step`. `reconcile(key)` finds out whether a call whose worker died was carried
    out: it returns `Done(value)`, "not_done" or "unknown". While that is open, `when_unknown` says who decides.
    `compensate(result, key)` undoes a call that was carried out, if the run fails or is cancelled. Both may be
    asynchronous. `approve` says which calls a person must approve: "always", "never", a CEL expression, or an
    `Approval`; it goes before what the agent says.
    """

    effect: Effect = "at_most_once"
    step: StepOptions | None = None
    reconcile: Callable[[str], Any] | None = None
    compensate: Callable[[Any, str], Any] | None = None
    when_unknown: WhenUnknown = "ask_person"
    approve: str | Approval | None = None

    def __post_init__(self) -> None:
        _check("effect", self.effect, get_args(Effect))
        _check("when_unknown", self.when_unknown, get_args(WhenUnknown))
        if self.effect == "read" and (self.reconcile or self.compensate):
            raise ValueError("A tool that only reads leaves nothing to reconcile or to compensate.")
        if self.step:
            self.refuse_local(self.step, "The tool")
        if self.approve is not None:
            approval_of(self.approve)

    def approval(self, default: str | Approval) -> Approval:
        """Which calls are to be approved where the agent says `default`. Of a destructive tool that says nothing itself
        it is all of them: what the agent says of its tools in general must not let those pass.
        """
        if self.approve is not None:
            return approval_of(self.approve)
        general = approval_of(default)
        return replace(general, when="always") if self.effect == "destructive" else general

    @property
    def repeatable(self) -> bool:
        return self.effect in REPEATABLE

    def refuse_local(self, step: StepOptions, who: str) -> None:
        if step.local and not self.repeatable:
            raise ValueError(
                f"{who} is {self.effect!r}, and a local step runs again when its worker dies. "
                "Declare the tool 'read' or 'idempotent', or leave `local` out."
            )


def _check(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r} where one of {', '.join(map(repr, allowed))} is expected.")


def durable(
    *,
    effect: Effect = "at_most_once",
    step: StepOptions | None = None,
    reconcile: Callable[[str], Any] | None = None,
    compensate: Callable[[Any, str], Any] | None = None,
    when_unknown: WhenUnknown = "ask_person",
    approve: str | Approval | None = None,
) -> Callable[[AnyTool], AnyTool]:
    """Declares `ToolOptions` of a LangChain tool: as a decorator above `@tool`, or `durable(effect="read")(search)`.

    Returns a copy of the tool, with the options in its metadata.
    """
    options = ToolOptions(effect, step, reconcile, compensate, when_unknown, approve)

    def declared(tool: AnyTool) -> AnyTool:
        if not isinstance(tool, BaseTool):
            raise TypeError(f"{tool!r} is no tool yet. Write `@durable(...)` above `@tool`.")
        return tool.model_copy(update={"metadata": {**(tool.metadata or {}), TOOL_OPTIONS: options}})

    return declared


def tool_options(tool: BaseTool) -> ToolOptions:
    found = (tool.metadata or {}).get(TOOL_OPTIONS)
    return found if isinstance(found, ToolOptions) else ToolOptions()


def step_config(options: StepOptions) -> RunnableConfig:
    """A config for one call of a model, a tool or a retriever: `.ainvoke(given, step_config(...))`, or `.with_config`.

    It holds for all that is called with it, as the metadata of a config do. Outside workflows it does nothing.
    """
    return {"metadata": {STEP_OPTIONS: options}}


def step_options(metadata: Mapping[str, Any] | None, default: StepOptions) -> StepOptions:
    """Those of a call with these metadata."""
    found = (metadata or {}).get(STEP_OPTIONS)
    return found if isinstance(found, StepOptions) else default
