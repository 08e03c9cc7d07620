"""The checkpoint saver of a run: in the workflow's memory, deterministic, and pruned.

What Temporal keeps is the history; a replay makes these checkpoints again. They serve LangGraph inside one run:
interrupts, and state as of the last steps.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
    writes_sort_key,
)

from agents.errors import UnsupportedValue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from langchain_core.runnables import RunnableConfig

Value = TypeVar("Value")
Place = tuple[str, str]
"""Thread id and checkpoint namespace."""


class _Kept(NamedTuple):
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    parent: str | None


class _Write(NamedTuple):
    path: str
    task: str
    position: int
    channel: str
    value: Any


class Snapshot(NamedTuple):
    """One place of a run as another execution takes it up: its newest checkpoint and what belongs to it."""

    place: Place
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    parent: str | None
    values: dict[str, Any]
    writes: list[tuple[str, str, int, str, Any]]
    """Path, task, position, channel and value of each write that is pending."""


class WorkflowSaver(BaseCheckpointSaver[int]):
    """Keeps the last `keep` checkpoints of each namespace.

    What comes in and goes out is copied: LangGraph edits a checkpoint's versions in place, and a node may edit
    its state.
    """

    def __init__(self, *, keep: int = 8) -> None:
        super().__init__()
        self._keep = keep
        self._checkpoints: dict[Place, dict[str, _Kept]] = {}
        self._values: dict[tuple[Place, str, int], Any] = {}
        self._writes: dict[tuple[Place, str], dict[tuple[str, int], _Write]] = {}
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
        for channel, version in new_versions.items():
            if channel in checkpoint["channel_values"]:
                self._values[place, channel, int(version)] = _kept(channel, checkpoint["channel_values"][channel])
        kept = self._checkpoints.setdefault(place, {})
        kept[checkpoint["id"]] = _Kept(
            copied(_with_values(checkpoint, {})),
            get_checkpoint_metadata(config, metadata),
            get_checkpoint_id(config),
        )
        if len(kept) > 2 * self._keep:
            self._prune(place)
        return _config(place, checkpoint["id"])

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        kept = self._writes.setdefault((_place(config), get_checkpoint_id(config) or ""), {})
        for position, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, position)
            if index < 0 or (task_id, index) not in kept:
                kept[task_id, index] = _Write(task_path, task_id, index, channel, _kept(channel, value))

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        place = _place(config)
        kept = self._checkpoints.get(place, {})
        wanted = get_checkpoint_id(config) or max(kept, default=None)
        return self._tuple(place, wanted) if wanted in kept else None

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
            metadata = self._checkpoints[place][identifier].metadata
            if newest and identifier >= newest:
                continue
            if filter and any(metadata.get(key) != value for key, value in filter.items()):
                continue
            if limit is not None and found >= limit:
                return
            found += 1
            yield self._tuple(place, identifier)

    def delete_thread(self, thread_id: str) -> None:
        self._checkpoints = {place: kept for place, kept in self._checkpoints.items() if place[0] != thread_id}
        self._values = {key: value for key, value in self._values.items() if key[0][0] != thread_id}
        self._writes = {key: kept for key, kept in self._writes.items() if key[0][0] != thread_id}

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

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)

    def snapshots(self) -> Iterator[Snapshot]:
        """What is still needed to go on, without copies: hand it over, and leave this saver alone."""
        newest = {place: max(kept) for place, kept in self._checkpoints.items()}
        for place, identifier in newest.items():
            checkpoint, metadata, parent = self._checkpoints[place][identifier]
            if self._is_live(place, metadata, newest):
                writes = self._writes.get((place, identifier), {}).values()
                yield Snapshot(
                    place, checkpoint, metadata, parent, self._channels(place, checkpoint), [*map(tuple, writes)]
                )

    def restore(self, snapshots: Iterable[Snapshot]) -> None:
        for place, checkpoint, metadata, parent, values, writes in snapshots:
            identifier = checkpoint["id"]
            self._checkpoints[place] = {identifier: _Kept(checkpoint, metadata, parent)}
            for channel, value in values.items():
                self._values[place, channel, int(checkpoint["channel_versions"][channel])] = value
            kept = self._writes.setdefault((place, identifier), {})
            for path, task, position, channel, value in writes:
                kept[task, position] = _Write(path, task, position, channel, value)

    def living(self) -> dict[str, int]:
        """The step at which each graph stands that is not over, by namespace."""
        newest = {place: max(kept) for place, kept in self._checkpoints.items()}
        found = {place: self._checkpoints[place][identifier].metadata for place, identifier in newest.items()}
        return {
            place[1]: metadata["step"] for place, metadata in found.items() if self._is_live(place, metadata, newest)
        }

    def start_counting(self) -> None:
        self.limits = self._steps()

    def steps_since_start(self) -> dict[Place, int]:
        """Supersteps that each place has made since `start_counting`, in this execution and those before."""
        return {place: step - self.limits.get(place, -2) - 1 for place, step in self._steps().items()}

    def _steps(self) -> dict[Place, int]:
        return {place: kept[max(kept)].metadata["step"] for place, kept in self._checkpoints.items()}

    @staticmethod
    def _is_live(place: Place, metadata: CheckpointMetadata, newest: dict[Place, str]) -> bool:
        """A subgraph that has ended leaves its checkpoints behind: those that hold it have gone on without it."""
        thread, namespace = place
        parents = metadata.get("parents", {})
        return all(newest.get((thread, parent)) == at for parent, at in parents.items() if parent != namespace)

    def _channels(self, place: Place, checkpoint: Checkpoint) -> dict[str, Any]:
        return {
            channel: self._values[place, channel, int(version)]
            for channel, version in checkpoint["channel_versions"].items()
            if (place, channel, int(version)) in self._values
        }

    def _tuple(self, place: Place, identifier: str) -> CheckpointTuple:
        checkpoint, metadata, parent = self._checkpoints[place][identifier]
        values = {channel: copied(value) for channel, value in self._channels(place, checkpoint).items()}
        writes = sorted(self._writes.get((place, identifier), {}).values(), key=_order)
        return CheckpointTuple(
            _config(place, identifier),
            _with_values(copied(checkpoint), values),
            metadata,
            _config(place, parent) if parent else None,
            [(write.task, write.channel, copied(write.value)) for write in writes],
        )

    def _listed(self, config: RunnableConfig | None) -> Iterator[tuple[Place, str]]:
        wanted = (config or {}).get("configurable", {})
        for place, kept in self._checkpoints.items():
            if wanted.get("thread_id", place[0]) != place[0] or wanted.get("checkpoint_ns", place[1]) != place[1]:
                continue
            chosen = wanted.get("checkpoint_id")
            yield from ((place, key) for key in sorted(kept, reverse=True) if chosen in (None, key))

    def _prune(self, place: Place) -> None:
        kept = self._checkpoints[place]
        for identifier in sorted(kept)[: -self._keep]:
            del kept[identifier]
            self._writes.pop((place, identifier), None)
        live = {
            (place, channel, int(version))
            for checkpoint, _, _ in kept.values()
            for channel, version in checkpoint["channel_versions"].items()
        }
        for key in [key for key in self._values if key[0] == place and key not in live]:
            del self._values[key]


def _with_values(checkpoint: Checkpoint, values: dict[str, Any]) -> Checkpoint:
    return {**checkpoint, "channel_values": values}


def _order(write: _Write) -> tuple[str, str, int]:
    return writes_sort_key(write.path, write.task, write.position)


def _kept(channel: str, value: Value) -> Value:
    """A copy to keep. Raises `UnsupportedValue` for what holds a lock or a connection, or has no end."""
    try:
        return copied(value)
    except Exception as error:  # noqa: BLE001 -- copying calls the value's own code
        raise UnsupportedValue(
            f"{channel!r} of the state can't be copied: {type(error).__name__}: {error}. Keep data alone in the state."
        ) from None


def copied(value: Value) -> Value:
    """A copy that shares what nothing changes in place: plain values and messages."""
    match value:
        case None | str() | int() | float() | bool() | BaseMessage():
            return value
        case dict() if type(value) is dict:
            return cast("Value", {key: copied(item) for key, item in value.items()})
        case list() if type(value) is list:
            return cast("Value", [copied(item) for item in value])
        case _:
            return deepcopy(value)


def _place(config: RunnableConfig) -> Place:
    configurable = config["configurable"]
    return configurable["thread_id"], configurable.get("checkpoint_ns", "")


def _config(place: Place, identifier: str) -> RunnableConfig:
    return {"configurable": {"thread_id": place[0], "checkpoint_ns": place[1], "checkpoint_id": identifier}}
