"""How a run begins where another one was. Runs in workflows; clients carry what it needs from the one to the other.

The query `snapshot` of the source tells a checkpoint and what belongs to it. A client makes it the argument of a new
workflow, with what is to be otherwise there. LangGraph's own time travel does the rest.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import langsmith
from pydantic import BaseModel, ConfigDict, Field

from activities.node import graph_types
from activities.wire import decode, encode
from agents.errors import InvalidInput, known
from agents.exchange import graph_input
from agents.options import Effect, tool_options
from workflows.calls import Made
from workflows.compaction import pages_at
from workflows.continuation import FORK, collector_at_rest
from workflows.contracts import AgentInput
from workflows.namespace import Snapshot
from workflows.state import Origin, origin, resolved
from workflows.steps import unpacked
from workflows.turns import ArchivedPage, ThreadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from temporalio.common import RawValue

    from workflows.run import Run

WHAT = "The state of the run that is forked"


class RepeatedEffect(Made):
    """A call of a tool that changes something and was made after the checkpoint: a fork may make it again."""

    effect: Effect


class ForkSource(BaseModel):
    """A checkpoint of a run and what belongs to it. `places` are encoded; `next` are the nodes that come next.

    `effects` are the calls of tools that came after it and may be made again. `thread` is what began a thread, `pages`
    are what its conversation no longer has.
    """

    model_config = ConfigDict(frozen=True)

    request: AgentInput
    checkpoint: str
    next: list[str]
    places: list[Any]
    effects: list[RepeatedEffect]
    thread: ThreadInput | None = Field(default=None, exclude_if=operator.not_)
    pages: list[ArchivedPage] = Field(default=[], exclude_if=operator.not_)


class Fork(BaseModel):
    """What begins a fork. `request` is that of the new run; its input is none, or goes onto the checkpoint.

    `values`, encoded, change the state as if the node `as_node` had given them. A checkpoint that was not asked for
    (`is_addressed`) is gone on from, as a run does; one that was is gone back to: LangGraph then runs its nodes anew.
    """

    model_config = ConfigDict(frozen=True)

    request: AgentInput
    origin: Origin
    next: list[str]
    places: list[Any]
    is_addressed: bool = True
    has_update: bool = False
    values: Any = None
    as_node: str | None = None
    thread: ThreadInput | None = Field(default=None, exclude_if=operator.not_)
    pages: list[ArchivedPage] = Field(default=[], exclude_if=operator.not_)


@collector_at_rest()
def source_of(
    run: Run, checkpoint: str | None, thread: ThreadInput | None, pages: Sequence[ArchivedPage]
) -> ForkSource:
    """Raises `CheckpointPruned`."""
    chosen = resolved(run, checkpoint or max(run.saver.kept(run.thread), default=""))
    state = run.graph.get_state(run.config_at({"checkpoint_id": chosen}))
    places = [encode([*snapshot], path="state") for snapshot in run.saver.snapshots_at(run.thread, chosen)]
    return ForkSource(
        request=run.request.model_copy(update={"input": None}),
        checkpoint=chosen,
        next=[*state.next],
        places=places,
        effects=effects_after(run, chosen),
        thread=thread,
        pages=pages_at(pages, chosen),
    )


def effects_after(run: Run, checkpoint: str) -> list[RepeatedEffect]:
    made = [(call, tool_options(run.agent.tool(call.tool)).effect) for call in run.calls.made_from(checkpoint)]
    return [RepeatedEffect(**call.model_dump(), effect=effect) for call, effect in made if effect != "read"]


@collector_at_rest()
def fork_in(raw: RawValue) -> Fork | None:
    """What the workflow was started with, where it is a fork."""
    if FORK not in raw.payload.metadata:
        return None
    return unpacked(raw, WHAT, Fork)


async def begin_fork(run: Run, fork: Fork) -> Any:
    """Makes `run` what the source was at the checkpoint, with what is to be otherwise. Returns its graph's input."""
    types = graph_types(run.agent, run.graph, ())
    snapshots = [Snapshot(*decode(place, types)) for place in fork.places]
    run.saver.restore(each._replace(place=(run.thread, each.place[1])) for each in snapshots)
    run.saver.start_counting()
    if unknown := [node for node in (*fork.next, fork.as_node) if node and node not in run.graph.nodes]:
        raise InvalidInput(
            f"Agent {run.agent.name!r} has no node {unknown[0]!r}, which comes next at checkpoint "
            f"{fork.origin.checkpoint} of {fork.origin.run!r}. {known(run.graph.nodes)}"
        )
    if fork.is_addressed or fork.has_update:
        run.at = {"checkpoint_id": fork.origin.checkpoint}
    if fork.has_update:
        await _update(run, decode(fork.values, types), fork.as_node)
    if fork.request.input is None:
        return None
    return graph_input(run.graph, decode(fork.request.input, types))


async def _update(run: Run, values: Any, as_node: str | None) -> None:
    with langsmith.tracing_context(enabled=False):
        updated = await run.graph.aupdate_state(run.config_at(run.at), values, as_node=as_node)
    run.at = {key: value for key, value in updated["configurable"].items() if key.startswith("checkpoint_")}


def origin_line() -> list[str]:
    """What the web UI says of it, where the run is a fork."""
    found = origin()
    return [f"Forked from `{found.run}` at checkpoint `{found.checkpoint}`."] if found else []
