"""The tool calls of a run, by the graph's task that makes them. Runs in workflows.

A task may run again: because one of several calls asked a question, or by a retry policy. Its calls are then found
here, with their keys and what came of them, so that none is carried out twice. The journal behind it is the history.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from temporalio.exceptions import ApplicationError

from activities.wire import encode
from agents.errors import IdempotencyConflict
from agents.idempotency import hashed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

Attempt = tuple[int, int]
"""How often the graph has been invoked, and how often the task has been tried since."""


class Place(BaseModel):
    """A task of a graph: the run and its first execution, the task's namespace, the step of its graph, and the attempt
    that runs.
    """

    model_config = ConfigDict(frozen=True)

    run: tuple[str, str]
    namespace: str
    step: int
    attempt: Attempt
    checkpoint: str = ""
    """The one of the run's own graph that the superstep runs from."""


AskKind = Literal["body", "inner", "approval", "unknown"]
"""Who asks: the body of a tool, a graph that the body runs, a rule, or what nobody knows the outcome of."""


class Ask(BaseModel):
    """A question that a call waits for. `value` is encoded, `node` the node of the graph that made the call."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: AskKind
    value: Any
    node: str | None = None
    answer_schema: dict[str, Any] | None = None


class Outcome(BaseModel):
    """`value` is encoded: what the body returned, a command for the graphs around, or the text of its `ToolException`;
    a failure's type, message and details; the value that a person gave in place of an unknown one; or what the model is
    told instead of a result.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["value", "parent_command", "error", "failed", "given", "told", "rejected", "unknown"]
    value: Any = None
    pushed: list[tuple[str, Any]] = []
    """Encoded, what the body has written to channels of the state."""


class Call(BaseModel):
    """One call of one tool in one task, however often the task runs."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    key: str
    tool: str
    digest: str
    step: int
    checkpoint: str = ""
    shown: str = ""
    """The arguments, in short."""
    asked: int = 0
    question: Ask | None = None
    answers: list[Any] = []
    """Encoded, to the questions of the body."""
    inner_answers: list[Any] = []
    """To those of graphs that it runs."""
    approved: bool = False
    """By a person, or since nobody need be asked."""
    edited: dict[str, Any] | None = None
    """The arguments, encoded, that a person put in place of the model's."""
    starts: int = 0
    outcome: Outcome | None = None
    running: asyncio.Task[None] | None = Field(default=None, exclude=True)

    @property
    def named(self) -> str:
        return f"Tool {self.tool!r} (key {self.key})"

    @property
    def unknown(self) -> str:
        return (
            f"{self.named} was started, and its outcome is unknown: it may have taken effect or not. "
            "Do not repeat the call."
        )

    @property
    def has_begun(self) -> bool:
        return self.starts > 0 or self.outcome is not None

    def ask(
        self,
        kind: AskKind,
        value: Any,
        *,
        node: str | None = None,
        answer_schema: dict[str, Any] | None = None,
    ) -> None:
        """Each question has an id of its own: an answer that comes twice does not answer the next."""
        identifier = _question_id(self.key, self.asked)
        self.question = Ask(id=identifier, kind=kind, value=value, node=node, answer_schema=answer_schema)
        self.asked += 1

    async def advance(self, work: Callable[[], Awaitable[None]]) -> None:
        """Waits for `work`, or for the one under way: an earlier run of the task may have left it so."""
        if self.running is None:
            self.running = asyncio.ensure_future(self._work(work))
        await self.running

    async def _work(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self.running = None


class Made(BaseModel):
    """A call of a tool that was started: what is left of it when its task is over. `checkpoint` is the one that its
    superstep ran from, `outcome` says in a word what came of it.
    """

    model_config = ConfigDict(frozen=True)

    checkpoint: str
    tool: str
    key: str
    arguments: str = ""
    outcome: str = "unknown"

    @classmethod
    def of(cls, call: Call) -> Made:
        outcome = _IN_A_WORD.get(call.outcome.kind, "unknown") if call.outcome else "unknown"
        return cls(
            checkpoint=call.checkpoint,
            tool=call.tool,
            key=call.key,
            arguments=call.shown,
            outcome="under way" if call.running else outcome,
        )


_IN_A_WORD = {"value": "done", "parent_command": "done", "given": "done", "error": "refused", "failed": "failed"}


class Task:
    """The calls of one task, and those of them that its present run has not made yet."""

    def __init__(self, calls: Iterable[Call] = ()) -> None:
        self.calls = [*calls]
        self.left: list[Call] = []
        self._attempt: Attempt | None = None

    def begin(self, attempt: Attempt) -> None:
        if self._attempt != attempt:
            self._attempt, self.left = attempt, [*self.calls]


class Calls:
    """Those of one run."""

    def __init__(self, carried: Mapping[str, list[Call]] | None = None) -> None:
        self._tasks = {namespace: Task(calls) for namespace, calls in (carried or {}).items()}
        self._over: list[Made] = []
        self.invocations = 0

    def __iter__(self) -> Iterator[Call]:
        return (call for task in self._tasks.values() for call in task.calls)

    def take(self, place: Place, tool: str, digest: str, *, repeatable: bool, shown: str = "") -> Call:
        """The call that an earlier run of the task made with these arguments, or a new one.

        Raises `IdempotencyConflict` where the earlier run began a call with others, which would be carried out twice.
        """
        task = self._tasks.setdefault(place.namespace, Task())
        task.begin(place.attempt)
        left = [call for call in task.left if call.tool == tool]
        for call in left:
            if call.digest == digest:
                task.left.remove(call)
                return call
        begun = next((call for call in left if call.has_begun), None)
        if begun is not None and not repeatable:
            raise IdempotencyConflict(
                f"{tool!r} was called with other arguments when its node ran before (key {begun.key}). A node that "
                "runs again must make the same calls: give the call, or what decides about it, a node of its own."
            )
        call = Call(
            key=call_key(place, len(task.calls), tool),
            tool=tool,
            digest=digest,
            step=place.step,
            checkpoint=place.checkpoint,
            shown=shown,
        )
        task.calls.append(call)
        return call

    def of_node(self, place: Place, key: str, tool: str, digest: str, *, shown: str) -> Call:
        """One of a node that is an activity, which makes the keys of its calls itself."""
        task = self._tasks.setdefault(place.namespace, Task())
        call = next((call for call in task.calls if call.key == key), None)
        if call is None:
            call = Call(key=key, tool=tool, digest=digest, step=place.step, checkpoint=place.checkpoint, shown=shown)
            task.calls.append(call)
        return call

    def of_task(self, namespace: str) -> list[Call]:
        return self._tasks[namespace].calls if namespace in self._tasks else []

    def asking(self, identifier: str) -> Call | None:
        """The call whose question this is; a node's own questions are LangGraph's."""
        return next((call for call in self if call.question and call.question.id == identifier), None)

    async def finished(self) -> None:
        """Waits for those that go on though the node that made them has ended: another of its calls ended before."""
        await asyncio.gather(*(call.running for call in self if call.running), return_exceptions=True)

    async def stopped(self) -> None:
        """Ends those that go on so."""
        running = [call.running for call in self if call.running]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def forget(self, steps: Mapping[str, int]) -> None:
        """Drops the calls of tasks that are over. `steps` says at which step each living graph stands."""
        for namespace, task in [*self._tasks.items()]:
            step = _step(namespace, steps)
            if not any(call.running or call.step - 1 == step for call in task.calls):
                self._over += _made(task.calls)
                del self._tasks[namespace]

    def made_from(self, checkpoint: str) -> list[Made]:
        """The calls that were started in the supersteps from `checkpoint` on."""
        return [made for made in [*self._over, *_made(self)] if made.checkpoint >= checkpoint]

    def carried(self) -> dict[str, list[Call]]:
        return {namespace: task.calls for namespace, task in self._tasks.items()}


def _made(calls: Iterable[Call]) -> list[Made]:
    return [Made.of(call) for call in calls if call.starts]


def call_key(place: Place, ordinal: int, tool: str) -> str:
    """The same in each replay, on each worker and in each execution. The model has no say in it."""
    return hashed(*place.run, place.namespace, ordinal, tool)


def arguments_digest(tool: str, arguments: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([tool, arguments], sort_keys=True).encode()).hexdigest()


def failure_of(error: BaseException) -> Outcome:
    """`error` as an outcome that survives: a step's failure as it came, or an exception of ours."""
    cause = error if isinstance(error, ApplicationError) else ApplicationError(str(error), type=type(error).__name__)
    details = [detail for detail in cause.details if isinstance(detail, dict)]
    return Outcome(kind="failed", value=encode({"type": cause.type, "message": cause.message, "details": details}))


def _question_id(key: str, number: int) -> str:
    return hashlib.sha256(f"{key} {number}".encode()).hexdigest()[:32]


def _step(namespace: str, steps: Mapping[str, int]) -> int | None:
    """Where the graph stands that a task belongs to, be it by way of other functional tasks."""
    while namespace:
        namespace = namespace.rpartition("|")[0]
        if namespace in steps:
            return steps[namespace]
    return None
