"""The checkpoint saver of a run: in the workflow's memory, deterministic, and pruned.

What Temporal keeps is the history; a replay makes these checkpoints again. They serve LangGraph inside one run:
interrupts, and state as of the last steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage
from langgraph._internal._constants import NULL_TASK_ID
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_checkpoint_id,
    get_checkpoint_metadata,
)

from agents.errors import CheckpointPruned
from workflows.copies import copied
from workflows.namespace import Kept, Namespace, Place, Snapshot, Write, kept_copy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from langchain_core.runnables import RunnableConfig

STATELESS = ":"
"""In the namespace of a subgraph that begins anew with each task: it holds the task's id."""


class WorkflowSaver(BaseCheckpointSaver[int]):
    """Keeps the last `keep` checkpoints of each namespace. What goes out is copied: a node may edit its state."""

    def __init__(self, *, keep: int = 8) -> None:
        super().__init__()
        self.keep = keep
        self._namespaces: dict[Place, Namespace] = {}
        self.limits: dict[Place, int] = {}
        """The step at which each place stood when the graph was last invoked from outside."""

    def get_next_version(self, current: int | None, channel: None) -> int:  # noqa: ARG002 -- the base's signature
        return (current or 0) + 1

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        place = _place(config)
        namespace = self._namespaces.setdefault(place, Namespace())
        kept = kept_copy(checkpoint, get_checkpoint_metadata(config, metadata), get_checkpoint_id(config))
        namespace.put(kept, checkpoint["channel_values"], new_versions)
        if namespace.prune(self.keep):
            self._drop_ended(place)
        return _config(place, checkpoint["id"])

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        namespace = self._namespaces.setdefault(_place(config), Namespace())
        namespace.put_writes(get_checkpoint_id(config) or "", writes, task_id, task_path)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Raises `CheckpointPruned` for a checkpoint that is older than those that are kept."""
        place = _place(config)
        namespace = self._namespaces.get(place, Namespace())
        wanted = get_checkpoint_id(config) or namespace.newest
        if wanted in namespace.checkpoints:
            return _tuple(place, wanted, namespace)
        if namespace.pruned and wanted < min(namespace.checkpoints, default=""):
            raise CheckpointPruned(
                f"Checkpoint {wanted} is no longer kept: of {namespace.pruned + len(namespace.checkpoints)}, "
                f"the run has the last {len(namespace.checkpoints)}. "
                f"Keep more with Agent(..., checkpoints={2 * self.keep}). "
                "A run that goes on in a new execution takes the newest alone along."
            )
        return None

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 -- the base's signature
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The newest first."""
        newest = get_checkpoint_id(before) if before else None
        found = 0
        for place, identifier in self._listed(config):
            metadata = self._namespaces[place].checkpoints[identifier].metadata
            if newest and identifier >= newest:
                continue
            if filter and any(metadata.get(key) != value for key, value in filter.items()):
                continue
            if limit is not None and found >= limit:
                return
            found += 1
            yield _tuple(place, identifier, self._namespaces[place])

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """LangGraph's own walks over `get_tuple`, which knows nothing of what is kept for these channels alone."""
        namespace = self._namespaces.get(_place(config), Namespace())
        target = get_checkpoint_id(config) or namespace.newest
        found: dict[str, DeltaChannelHistory] = {channel: {"writes": []} for channel in channels}
        missing = set(channels)
        for identifier, kept in namespace.history(target):
            writes, values = namespace.writes(identifier), namespace.values(kept)
            for channel in missing:
                before = [_pending(write) for write in writes if write.channel == channel]
                found[channel]["writes"] = before + found[channel]["writes"]
                if channel in values:
                    found[channel]["seed"] = copied(values[channel])
            missing -= values.keys()
        return found

    def delete_thread(self, thread_id: str) -> None:
        self._namespaces = {place: kept for place, kept in self._namespaces.items() if place[0] != thread_id}

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self.put_writes(config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 -- the base's signature
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        for found in self.list(config, filter=filter, before=before, limit=limit):
            yield found

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        return self.get_delta_channel_history(config=config, channels=channels)

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)

    def kept(self, thread: str) -> set[str]:
        """The ids of the checkpoints of the thread's own graph."""
        return {*self._namespaces.get((thread, ""), Namespace()).checkpoints}

    def pruned(self, thread: str) -> int:
        """How many checkpoints of the thread's own graph are no longer kept."""
        return self._namespaces.get((thread, ""), Namespace()).pruned

    def snapshots(self) -> Iterator[Snapshot]:
        """What is still needed to go on, without copies: hand it over, and leave this saver alone."""
        for place, namespace in self._living():
            yield from namespace.snapshots(place)

    def snapshots_at(self, thread: str, checkpoint: str) -> Iterator[Snapshot]:
        """`checkpoint` of the thread's own graph, and those of its subgraphs that were made up to its superstep.

        Raises `CheckpointPruned` where what a subgraph remembered then is no longer kept.
        """
        yield from self._namespaces[thread, ""].snapshots((thread, ""), checkpoint)
        for place, namespace in self._saved():
            if place != (thread, ""):
                for identifier in _up_to(place, namespace, checkpoint):
                    yield from namespace.snapshots(place, identifier)

    def drop_after(self, thread: str, checkpoint: str) -> None:
        """Back to where the thread stood at `checkpoint`. Raises `CheckpointPruned` as `snapshots_at` does."""
        left = {place: _up_to(place, namespace, checkpoint) for place, namespace in self._saved() if place[1]}
        self._namespaces = {place: namespace for place, namespace in self._namespaces.items() if left.get(place, True)}
        self._namespaces[thread, ""].drop_all_but([each for each in self.kept(thread) if each <= checkpoint])
        for place, identifiers in left.items():
            if identifiers:
                self._namespaces[place].drop_all_but(identifiers)

    def restore(self, snapshots: Iterable[Snapshot]) -> None:
        for snapshot in snapshots:
            self._namespaces.setdefault(snapshot.place, Namespace()).restore(snapshot)

    def rewind(self, snapshots: Iterable[Snapshot]) -> None:
        """Back to where it stood when `snapshots` were taken. Checkpoints before that are no longer kept."""
        self._namespaces = {}
        self.restore(snapshots)

    def has(self, place: Place) -> bool:
        return place in dict(self._saved())

    def working(self) -> Place | None:
        """The graph that goes on when the run does, where there is one alone: the innermost that is not over."""
        living = {place for place, _ in self._living()}
        inner = [place for place in living if not any(_holds(place, other) for other in living)]
        return inner[0] if len(inner) == 1 else None

    def messages(self, place: Place) -> Sequence[BaseMessage] | None:
        """The conversation in the newest state of a graph, where it is kept whole."""
        if not self.has(place):
            return None
        namespace = self._namespaces[place]
        found = namespace.values(namespace.checkpoints[namespace.newest]).get("messages")
        return found if isinstance(found, list) and all(isinstance(each, BaseMessage) for each in found) else None

    def add_messages(self, place: Place, messages: Sequence[BaseMessage]) -> None:
        """What the graph finds in its state when it goes on. For the outermost, `Command(update=...)` does the same."""
        newest = self._namespaces[place].newest
        self.put_writes(_config(place, newest), [("messages", [*messages])], NULL_TASK_ID)

    def living(self) -> dict[str, int]:
        """The step at which each graph stands that is not over, by namespace."""
        return {place[1]: kept.checkpoints[kept.newest].metadata["step"] for place, kept in self._living()}

    def start_counting(self) -> None:
        self.limits = self._steps()

    def steps_since_start(self) -> dict[Place, int]:
        """Supersteps that each place has made since `start_counting`, in this execution and those before."""
        return {place: step - self.limits.get(place, -2) - 1 for place, step in self._steps().items()}

    def _steps(self) -> dict[Place, int]:
        return {place: kept.checkpoints[kept.newest].metadata["step"] for place, kept in self._saved()}

    def _living(self) -> Iterator[tuple[Place, Namespace]]:
        newest = {place: namespace.newest for place, namespace in self._saved()}
        return ((place, namespace) for place, namespace in self._saved() if _is_live(place, namespace, newest))

    def _saved(self) -> Sequence[tuple[Place, Namespace]]:
        """LangGraph may save writes before the checkpoint to which they belong."""
        return [(place, namespace) for place, namespace in self._namespaces.items() if namespace.checkpoints]

    def _listed(self, config: RunnableConfig | None) -> Iterator[tuple[Place, str]]:
        wanted = (config or {}).get("configurable", {})
        for place, namespace in self._namespaces.items():
            if wanted.get("thread_id", place[0]) != place[0] or wanted.get("checkpoint_ns", place[1]) != place[1]:
                continue
            chosen = wanted.get("checkpoint_id")
            yield from ((place, key) for key in sorted(namespace.checkpoints, reverse=True) if chosen in (None, key))

    def _drop_ended(self, parent: Place) -> None:
        """Subgraphs of checkpoints that are no longer kept go with them."""
        thread, name = parent
        oldest = min(self._namespaces[parent].checkpoints)
        for place, namespace in self._saved():
            held = namespace.checkpoints[namespace.newest].metadata.get("parents", {})
            if place != parent and place[0] == thread and _is_stateless(place) and held.get(name, oldest) < oldest:
                del self._namespaces[place]


def _is_live(place: Place, namespace: Namespace, newest: dict[Place, str]) -> bool:
    """A subgraph that has ended leaves its checkpoints behind: those that hold it have gone on without it."""
    thread, name = place
    parents = namespace.checkpoints[namespace.newest].metadata.get("parents", {})
    return not _is_stateless(place) or all(
        newest.get((thread, parent)) == at for parent, at in parents.items() if parent != name
    )


def _holds(place: Place, other: Place) -> bool:
    """Whether `other` is a graph inside of `place`."""
    return place != other and place[0] == other[0] and (not place[1] or other[1].startswith(f"{place[1]}|"))


def _up_to(place: Place, namespace: Namespace, checkpoint: str) -> list[str]:
    """The checkpoints of a subgraph that were made up to the superstep from `checkpoint` of the outermost graph."""
    found = [
        identifier
        for identifier, kept in namespace.checkpoints.items()
        if kept.metadata.get("parents", {}).get("", checkpoint) <= checkpoint
    ]
    if not found and namespace.pruned and not _is_stateless(place):
        raise CheckpointPruned(
            f"What subgraph {place[1]!r} remembered at checkpoint {checkpoint} is not kept: it has made many "
            "checkpoints since. Keep more with Agent(..., checkpoints=…)."
        )
    return found


def _is_stateless(place: Place) -> bool:
    return STATELESS in place[1]


def _tuple(place: Place, identifier: str, namespace: Namespace) -> CheckpointTuple:
    kept: Kept = namespace.checkpoints[identifier]
    values = {channel: copied(value) for channel, value in namespace.values(kept).items()}
    return CheckpointTuple(
        _config(place, identifier),
        {**copied(kept.checkpoint), "channel_values": values},
        kept.metadata,
        _config(place, kept.parent) if kept.parent else None,
        [_pending(write) for write in namespace.writes(identifier)],
    )


def _pending(write: Write) -> PendingWrite:
    return write.task, write.channel, copied(write.value)


def _place(config: RunnableConfig) -> Place:
    configurable = config["configurable"]
    return configurable["thread_id"], configurable.get("checkpoint_ns", "")


def _config(place: Place, identifier: str) -> RunnableConfig:
    return {"configurable": {"thread_id": place[0], "checkpoint_ns": place[1], "checkpoint_id": identifier}}
