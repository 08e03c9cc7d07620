"""What a run keeps of one graph, or one subgraph: its last checkpoints, their values and writes. Runs in workflows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from langgraph.checkpoint.base import WRITES_IDX_MAP, Checkpoint, CheckpointMetadata, writes_sort_key

from workflows.copies import copied, copied_to_keep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Place = tuple[str, str]
"""Thread id and checkpoint namespace."""


class Kept(NamedTuple):
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    parent: str | None


class Write(NamedTuple):
    path: str
    task: str
    position: int
    channel: str
    value: Any


class Snapshot(NamedTuple):
    """A checkpoint as another execution takes it up. One that is not `whole` feeds the DeltaChannels of a later one."""

    place: Place
    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    parent: str | None
    values: dict[str, Any]
    writes: list[tuple[str, str, int, str, Any]]
    whole: bool
    pruned: int
    """How many checkpoints before it are no longer kept."""


@dataclass(slots=True)
class Namespace:
    """What comes in is copied: LangGraph edits a checkpoint's versions in place, and a node may edit its state."""

    checkpoints: dict[str, Kept] = field(default_factory=dict)
    ancestors: dict[str, Kept] = field(default_factory=dict)
    """Checkpoints that were pruned, but hold what a DeltaChannel of a later one is made of."""
    pruned: int = 0
    _values: dict[tuple[str, int], Any] = field(default_factory=dict)
    _writes: dict[str, dict[tuple[str, int], Write]] = field(default_factory=dict)

    @property
    def newest(self) -> str:
        """Ids are in the order of time."""
        return max(self.checkpoints, default="")

    def put(self, kept: Kept, values: Mapping[str, Any], versions: Mapping[str, Any]) -> None:
        for channel, version in versions.items():
            if channel in values:
                self._values[channel, int(version)] = copied_to_keep(channel, values[channel])
        self.checkpoints[kept.checkpoint["id"]] = kept

    def put_writes(self, identifier: str, writes: Sequence[tuple[str, Any]], task: str, path: str) -> None:
        kept = self._writes.setdefault(identifier, {})
        for position, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, position)
            if index < 0 or (task, index) not in kept:
                kept[task, index] = Write(path, task, index, channel, copied_to_keep(channel, value))

    def values(self, kept: Kept) -> dict[str, Any]:
        return {
            channel: self._values[channel, int(version)]
            for channel, version in kept.checkpoint["channel_versions"].items()
            if (channel, int(version)) in self._values
        }

    def writes(self, identifier: str) -> list[Write]:
        return sorted(self._writes.get(identifier, {}).values(), key=_order)

    def prune(self, keep: int) -> bool:
        """Drops all but the newest `keep`. Whether there was something to drop."""
        old = sorted(self.checkpoints)[:-keep]
        self.pruned += len(old)
        self.ancestors |= {identifier: self.checkpoints.pop(identifier) for identifier in old}
        if old:
            self._forget()
        return bool(old)

    def drop_all_but(self, left: Iterable[str]) -> None:
        self.checkpoints = {identifier: self.checkpoints[identifier] for identifier in left}
        self._writes = {
            identifier: writes
            for identifier, writes in self._writes.items()
            if identifier in self.checkpoints or identifier in self.ancestors
        }
        self._forget()

    def history(self, identifier: str) -> Iterator[tuple[str, Kept]]:
        """The checkpoints before this one, the latest first."""
        kept = self.checkpoints.get(identifier) or self.ancestors.get(identifier)
        while kept and (parent := kept.parent) and (kept := self.checkpoints.get(parent) or self.ancestors.get(parent)):
            yield parent, kept

    def snapshots(self, place: Place, identifier: str | None = None) -> Iterator[Snapshot]:
        """One checkpoint, without copies, and what its DeltaChannels are made of. Without `identifier`, the newest."""
        chosen = identifier or self.newest
        kept = self.checkpoints[chosen]
        pending = [tuple(write) for write in self.writes(chosen)]
        pruned = self.pruned + sum(each < chosen for each in self.checkpoints)
        yield Snapshot(place, *kept, self.values(kept), pending, whole=True, pruned=pruned)
        channels = _deltas(kept)
        for ancestor_id, ancestor in self._sources(kept):
            values = {channel: value for channel, value in self.values(ancestor).items() if channel in channels}
            writes = [tuple(write) for write in self.writes(ancestor_id) if write.channel in channels]
            yield Snapshot(place, *ancestor, values, writes, whole=False, pruned=pruned)

    def restore(self, snapshot: Snapshot) -> None:
        self.pruned = snapshot.pruned
        kept = Kept(snapshot.checkpoint, snapshot.metadata, snapshot.parent)
        identifier = kept.checkpoint["id"]
        (self.checkpoints if snapshot.whole else self.ancestors)[identifier] = kept
        for channel, value in snapshot.values.items():
            self._values[channel, int(kept.checkpoint["channel_versions"][channel])] = value
        writes = self._writes.setdefault(identifier, {})
        for path, task, position, channel, value in snapshot.writes:
            writes[task, position] = Write(path, task, position, channel, value)

    def _sources(self, kept: Kept) -> Iterator[tuple[str, Kept]]:
        """What the DeltaChannels of `kept` are made of: its ancestors, back to the last that holds a value of each."""
        missing = _deltas(kept) - self.values(kept).keys()
        for identifier, ancestor in self.history(kept.checkpoint["id"]):
            if not missing:
                return
            yield identifier, ancestor
            missing -= self.values(ancestor).keys()

    def _forget(self) -> None:
        needed = {identifier for kept in self.checkpoints.values() for identifier, _ in self._sources(kept)}
        for identifier in self.ancestors.keys() - needed:
            del self.ancestors[identifier]
            self._writes.pop(identifier, None)
        deltas = set[str]().union(*map(_deltas, self.checkpoints.values()))
        live = {*_versions(self.checkpoints.values())}
        live |= {(channel, version) for channel, version in _versions(self.ancestors.values()) if channel in deltas}
        self._values = {key: value for key, value in self._values.items() if key in live}


def kept_copy(checkpoint: Checkpoint, metadata: CheckpointMetadata, parent: str | None) -> Kept:
    """Without the values, which are kept by version."""
    bare: Checkpoint = {**checkpoint, "channel_values": {}}
    return Kept(copied(bare), metadata, parent)


def _deltas(kept: Kept) -> set[str]:
    """The DeltaChannels that have gone on since their last snapshot."""
    return {*kept.metadata.get("counters_since_delta_snapshot", ())}


def _versions(kept: Iterable[Kept]) -> Iterator[tuple[str, int]]:
    return (
        (channel, int(version)) for each in kept for channel, version in each.checkpoint["channel_versions"].items()
    )


def _order(write: Write) -> tuple[str, str, int]:
    return writes_sort_key(write.path, write.task, write.position)
