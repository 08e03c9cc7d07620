"""Back in a run's time: its state and history, and new runs that fork off a checkpoint. Runs in clients.

state = await run.state()
history = await run.history()
fork = await agents.fork(run.id, checkpoint=history.supersteps[1].checkpoint, model="openai:gpt-5")
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temporalio.client import WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.providers import resolve_model
from activities.queries import ask
from activities.wire import encode
from agents.errors import (
    CheckpointPruned,
    EffectsWouldRepeat,
    InvalidInput,
    PerdureError,
    ThreadBusy,
    ThreadClosed,
)
from temporal.archive import require_archive
from temporal.converter import DATA_CONVERTER
from workflows.continuation import FORK, MARK
from workflows.fork import Fork, ForkSource
from workflows.rewinding import Rewound
from workflows.state import FORKED_FROM, Origin, RunState, StateHistory
from workflows.turns import THREAD_WORKFLOW

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

    from temporal.client import Agents, Run
    from workflows.contracts import AgentInput
    from workflows.fork import RepeatedEffect
    from workflows.turns import ArchivedPage

MOST_NAMED = 5
"""Calls that an error names."""


async def state_of(run: Run, checkpoint: str | None = None) -> RunState:
    """The run's state as of `checkpoint`, or of its newest. Raises `CheckpointPruned`."""
    state: RunState | None = await _ask(run, "state", RunState | None, checkpoint)
    if state is None:
        raise InvalidInput(f"{run.id!r} has no checkpoint yet: it has neither stopped to ask nor ended.")
    return state


async def history_of(run: Run, most: int = 100) -> StateHistory:
    history: StateHistory = await _ask(run, "state_history", StateHistory, most)
    return history


async def source_of(run: Run, checkpoint: str | None = None) -> ForkSource:
    """What a fork begins with, and the effects that it may repeat. Raises `CheckpointPruned`."""
    source: ForkSource | None = await _ask(run, "fork_source", ForkSource | None, checkpoint)
    if source is None:
        raise InvalidInput(f"{run.id!r} has no checkpoint yet: it has neither stopped to ask nor ended.")
    return source


@dataclass(frozen=True, slots=True)
class Change:
    """What is otherwise in a fork. `state` is given to the graph as if by the node `as_node`; `input` goes onto it.

    `agent` is another agent with the same state and nodes, `model` takes the place of all its models, `context` of the
    `runtime.context`.
    """

    state: Any = None
    as_node: str | None = None
    input: Any = None
    agent: str | None = None
    model: str | None = None
    context: dict[str, Any] | None = None

    @property
    def has_update(self) -> bool:
        return self.state is not None or self.as_node is not None

    def __post_init__(self) -> None:
        """Raises `UnknownModel`."""
        resolve_model(self.model, {})

    def request(self, given: AgentInput) -> AgentInput:
        """That of the fork."""
        changed = {"agent": self.agent, "model": self.model, "context": self.context}
        chosen = {name: value for name, value in changed.items() if value is not None}
        return given.model_copy(update={**chosen, "input": encode(self.input, path="input")})


async def fork_of(
    agents: Agents, run: Run, checkpoint: str | None, change: Change, *, run_id: str | None, repeat_effects: bool
) -> Run:
    """A new run that begins at a checkpoint of `run`. Raises `CheckpointPruned` or `EffectsWouldRepeat`."""
    source = await source_of(run, checkpoint)
    if not repeat_effects:
        refuse_repeated(run.id, source)
    if source.thread is None and not source.next and not change.has_update and change.input is None:
        raise InvalidInput(
            f"Nothing comes after checkpoint {source.checkpoint} of {run.id!r}. Say what is to happen: give an "
            "input, or a state with the node that it comes from."
        )
    request, origin = change.request(source.request), Origin(run=run.id, checkpoint=source.checkpoint)
    identifier = run_id or f"{request.agent}-{secrets.token_hex(4)}"
    fork = Fork(
        request=request,
        origin=origin,
        next=source.next,
        places=source.places,
        is_addressed=checkpoint is not None,
        has_update=change.has_update,
        values=encode(change.state, path="state"),
        as_node=change.as_node,
        thread=source.thread,
        pages=await _copied(agents, source, identifier),
    )
    return await agents.begin(
        run.kind,
        _argument(fork),
        identifier,
        summary=f"fork of {run.id}",
        memo={FORKED_FROM: origin.model_dump()},
        task_queue=run.task_queue,
    )


async def _copied(agents: Agents, source: ForkSource, thread: str) -> list[ArchivedPage]:
    """A thread's pages go with the thread, and a fork may live longer than its source."""
    if not source.pages:
        return []
    archive = require_archive(agents.client)
    pages = [(page, await archive.read(page.claim)) for page in source.pages]
    return [page.model_copy(update={"claim": await archive.keep(thread, read)}) for page, read in pages]


def refuse_repeated(run_id: str, source: ForkSource) -> None:
    """Raises `EffectsWouldRepeat` where something was done after the checkpoint."""
    if not source.effects:
        return
    named = "; ".join(map(described, source.effects[:MOST_NAMED]))
    more = len(source.effects) - MOST_NAMED
    raise EffectsWouldRepeat(
        f"After checkpoint {source.checkpoint}, {run_id!r} made calls that a fork may make again, under other keys: "
        f"{named}{f'; and {more} more' if more > 0 else ''}. Say that you want that: --repeat-effects, or "
        "repeat_effects=True.",
        source.effects,
    )


def described(effect: RepeatedEffect) -> str:
    return f"{effect.tool}({effect.arguments}), {effect.effect}, {effect.outcome}, key {effect.key}"


def _argument(fork: Fork) -> RawValue:
    payload = DATA_CONVERTER.payload_converter.to_payload(fork)
    payload.metadata[MARK] = fork.request.agent.encode()
    payload.metadata[FORK] = b"1"
    return RawValue(payload)


async def rewind(run: Run, *, turn: str | None = None, checkpoint: str | None = None) -> Rewound:
    """Takes a thread back to before a turn, or to a checkpoint between two. Raises `InvalidInput` where it can't be."""
    if run.kind != THREAD_WORKFLOW:
        raise InvalidInput(f"{run.id!r} is no thread. A run is not rewound but forked: `perdure fork {run.id}`.")
    given = {"turn": turn, "checkpoint": checkpoint}
    wanted = {name: value for name, value in given.items() if value is not None}
    handle: WorkflowHandle[Any, Any] = run.client.get_workflow_handle(run.id)
    try:
        rewound: Rewound = await handle.execute_update("rewind", wanted, result_type=Rewound)
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise InvalidInput(f"Thread {run.id!r} has ended. A turn wakes it; or fork it.") from None
    return rewound


def _refusal(error: WorkflowUpdateFailedError) -> PerdureError:
    cause = error.cause
    known = {class_.__name__: class_ for class_ in (CheckpointPruned, ThreadBusy, ThreadClosed)}
    if isinstance(cause, ApplicationError):
        return known.get(cause.type or "", InvalidInput)(cause.message)
    return InvalidInput(str(cause))


async def _ask(run: Run, query: str, answer: Any, argument: Any) -> Any:
    try:
        return await ask(run.client.get_workflow_handle(run.id), query, answer, argument)
    except WorkflowQueryFailedError as error:
        raise (CheckpointPruned if "is not kept" in error.message else InvalidInput)(error.message) from None
