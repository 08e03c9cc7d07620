"""What was seen of the run and of its replays, as findings: which node, which line, and what to do."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from agents.errors import ComputedTooLong
from temporal.checking.rendering import differences
from temporal.checking.report import Finding
from workflows.steps import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from temporal.checking.record import Draw, Event, Ran, Replayed, Seen
    from temporal.checking.report import Kind

IN_AN_ACTIVITY = (
    'do it in a tool, or in a node with `metadata={"execute_in": "activity"}`: its answer is recorded, and a replay '
    "takes that"
)
REMEDIES: Mapping[str, str] = {
    "random": f"Use `temporalio.workflow.random()` or `workflow.uuid4()`, or {IN_AN_ACTIVITY}.",
    "clock": f"Use `temporalio.workflow.now()`, or {IN_AN_ACTIVITY}.",
    "process": f"Each worker has another: {IN_AN_ACTIVITY}.",
    "files": f"Each worker has others: {IN_AN_ACTIVITY}.",
    "environment": "Give all workers the same value as long as runs are under way: it is not recorded.",
}
MAYBE_MADE_UP = (
    "If the made-up input or answers are to blame, give better ones: `--input`, `--script`; if made-up results of "
    "tools, `--run-tools`."
)
STEADY = (
    "Given the same, a node must give the same, in any process. Look for sets whose order matters, variables that "
    "outlive the run, hashes, and addresses of objects."
)


def findings_of(ran: Ran, replays: Sequence[Replayed]) -> list[Finding]:
    if ran.problem:
        return [Finding(kind="build", said=f"The graph can't be built: {ran.problem}", remedy="Repair `build`.")]
    found = [
        *_refused(ran.seen),
        *_failed(ran),
        *_unended(ran),
        *_rebuilt(ran, replays),
        *_unsteady(ran, replays),
        *_uncarried(ran),
    ]
    return list(dict.fromkeys(found))


def _refused(seen: Seen) -> Iterator[Finding]:
    for refusal in seen.refusals:
        what, _, remedy = refusal.said.partition(". ")
        yield Finding(kind="blocking", node=refusal.node, line=refusal.line, said=f"{what}.", remedy=remedy)


def _failed(ran: Ran) -> Iterator[Finding]:
    if ran.outcome != "failed" or ran.seen.refusals:
        return
    for raised in ran.seen.raised[-1:]:
        kind: Kind = "slow" if raised.said.startswith(ComputedTooLong.__name__) else "failed"
        remedy = MAYBE_MADE_UP if kind == "failed" else f"Not in a workflow: {IN_AN_ACTIVITY}."
        said = f"The run failed: {raised.said.removesuffix('.')}."
        yield Finding(kind=kind, node=raised.node, line=raised.line, said=said, remedy=remedy)
    if not ran.seen.raised:
        yield Finding(kind="failed", said=f"The run failed: {ran.failure}", remedy=MAYBE_MADE_UP)


def _unended(ran: Ran) -> Iterator[Finding]:
    if ran.outcome != "unfinished":
        return
    node = ran.seen.open[-1] if ran.seen.open else None
    if ran.failure and "deadlock" not in ran.failure.lower():
        yield Finding(kind="slow", node=node, said=f"A task of the workflow failed: {shorten(ran.failure, 300)}")
        return
    if ran.failure:
        said = "It computes or waits there without an end, and holds up the worker's thread."
        remedy = f"Leave locks and queues out of nodes. What takes long: {IN_AN_ACTIVITY}."
        yield Finding(kind="slow", node=node, line=ran.stuck, said=said, remedy=remedy)
        return
    remedy = "Give it longer with `--timeout`, or an input with which it ends sooner."
    yield Finding(kind="unfinished", node=node, said="The run did not come to its end in time.", remedy=remedy)


def _rebuilt(ran: Ran, replays: Iterable[Replayed]) -> Iterator[Finding]:
    built = ran.built
    if built is None:
        return
    shapes = [ran.rebuilt, *(replayed.shape for replayed in replays if not replayed.problem)]
    for shape in shapes:
        for path, one, other in differences(built.shape, shape):
            said = f"`build` gave another graph the second time: {path} is {_short(one)}, then {_short(other)}."
            remedy = "Let it depend on nothing that differs between two calls, or two processes."
            yield Finding(kind="build", line=built.build_line, said=said, remedy=remedy)
            return
    for replayed in replays:
        if replayed.problem:
            yield Finding(kind="build", line=built.build_line, said=f"It can't be built twice: {replayed.problem}")
            return


# What differed


def _unsteady(ran: Ran, replays: Sequence[Replayed]) -> Iterator[Finding]:
    passes = [seen for replayed in replays for seen in replayed.passes]
    differing: dict[str, Finding] = {}
    for seen in passes:
        for finding in _differing(ran, seen):
            differing.setdefault(finding.node or "", finding)
    draws = [draw for seen in (ran.seen, *passes) for draw in seen.draws]
    drawn = [*_drawn(draws, differing)]
    yield from drawn
    explained = {finding.node or "" for finding in drawn if not finding.is_note}
    left = [finding for node, finding in differing.items() if node not in explained]
    yield from left
    if not differing:
        yield from _not_replayed(replays)


def _drawn(draws: Sequence[Draw], differing: Mapping[str, Finding]) -> Iterator[Finding]:
    """What a library asks for does no harm as long as nothing differs: records have times, imports look for files."""
    for draw in dict.fromkeys(draws):
        is_note = draw.source == "environment"
        if not draw.is_own and (draw.source in ("files", "environment") or draw.node not in differing):
            continue
        said = f"It asks for {draw.what}, which {'is not recorded' if is_note else 'may be another on a replay'}."
        yield Finding(
            kind="environment" if is_note else "drawn",
            node=draw.node or None,
            line=draw.line,
            said=said,
            remedy=REMEDIES[draw.source],
            is_note=is_note,
        )


def _differing(ran: Ran, replayed: Seen) -> Iterator[Finding]:
    """Where two executions part: what only follows from that is left out."""
    lines = {place.path: place.line for place in ran.built.places} if ran.built else {}
    before, blamed = "", set[str]()
    for one, other in zip_longest(ran.seen.events, replayed.events):
        if one is None or other is None or (one.kind, one.node, one.name) != (other.kind, other.node, other.name):
            if not blamed:
                yield _parted(before, one, other, lines)
            return
        if _is_culprit(one, other) and not _is_within(one.node, blamed):
            blamed.add(one.node)
            yield _differs(one, other, lines)
        elif one.given != other.given and not blamed:
            blamed.add(one.node)
            yield _given_differs(one, other, lines)
        before = one.node if one.kind == "node" else before


def _is_culprit(one: Event, other: Event) -> bool:
    if one.kind == "step":
        return bool(one.given != other.given)
    return bool(one.given == other.given and one.gave != other.gave)


def _is_within(node: str, blamed: set[str]) -> bool:
    return any(each == node or each.startswith(f"{node}.") for each in blamed)


def _differs(one: Event, other: Event, lines: Mapping[str, str | None]) -> Finding:
    line = (one.line if one.kind == "step" else None) or lines.get(one.node)
    if one.kind == "step":
        what = f"On replay it asked {one.name} for something else"
        pairs = differences([_loaded(each) for each in one.given], [_loaded(each) for each in other.given])
    else:
        what = (
            "It gave another update on replay" if one.kind == "node" else f"Its edge {one.name!r} gave something else"
        )
        pairs = differences(one.gave, other.gave)
    return Finding(kind="differs", node=one.node, line=line, said=f"{what}: {_shown(pairs)}.", remedy=STEADY)


def _given_differs(one: Event, other: Event, lines: Mapping[str, str | None]) -> Finding:
    said = f"It was given something else on replay: {_shown(differences(one.given, other.given))}."
    remedy = f"A reducer, or an edge to it, is not steady. {STEADY}"
    return Finding(kind="differs", node=one.node, line=lines.get(one.node), said=said, remedy=remedy)


def _parted(before: str, one: Event | None, other: Event | None, lines: Mapping[str, str | None]) -> Finding:
    first, second = (f"{each.node or each.name!r}" if each else "the end" for each in (one, other))
    said = f"After it the run went on with {first}, and the replay with {second}."
    return Finding(kind="differs", node=before or None, line=lines.get(before), said=said, remedy=STEADY)


def _not_replayed(replays: Iterable[Replayed]) -> Iterator[Finding]:
    for replayed in replays:
        for error in replayed.errors:
            yield Finding(kind="differs", said=f"The run can't be replayed: {shorten(error, 300)}", remedy=STEADY)
            return


def _uncarried(ran: Ran) -> Iterator[Finding]:
    for channel, why in ran.seen.uncarried:
        writers = [event.node for event in ran.seen.events if event.kind == "node" and _writes(event.gave, channel)]
        node = writers[-1] if writers else None
        lines = {place.path: place.line for place in ran.built.places} if ran.built else {}
        yield Finding(
            kind="value",
            node=node,
            line=lines.get(node or ""),
            said=f"It puts into {channel!r} what a long run can't take along into a new execution: {why}",
            remedy="Keep plain data, messages, pydantic models or dataclasses that the state's annotations name.",
        )


def _writes(gave: Any, channel: str) -> bool:
    if isinstance(gave, list):
        return any(_writes(each, channel) for each in gave)
    return isinstance(gave, dict) and (channel in gave or _writes(gave.get("update"), channel))


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(pairs: Iterable[tuple[str, Any, Any]]) -> str:
    path, one, other = next(iter(pairs), (None, None, None))
    if path is None:
        return "the same in another order"
    return f"{path + ': ' if path else ''}{_short(one)} in the run, {_short(other)} then"


def _short(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), 60)
