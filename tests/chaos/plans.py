"""What a run is to do, drawn at random: the JSON that it is given, which its model and its graph follow."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.chaos.tools import DWELLS, ENDS, LOCAL, NAMES

KINDS = ("react", "react", "fan", "loop", "outer", "parent", "nodes", "thread", "thread")
"""Agents, as often as they come. A thread's agent is `react`."""

MOODS = ("says nothing", "calls badly", "breaks", "exits", "is slow", "says much")
"""What a model does in place of calling tools."""


def plan_for(kind: str, random: Random) -> dict[str, Any]:
    match kind:
        case "react" | "thread":
            return {"stages": stages(random)}
        case "fan":
            return {"calls": [_call(random, nasty=0.04) for _ in range(random.choice([5, 20, 50]))]}
        case "loop" | "outer":
            calls = [_call(random, nasty=0.08) for _ in range(random.randint(5, 18))]
            return {"calls": [{**call, "asks": random.random() < 0.06} for call in calls]}
        case "parent":
            return {
                "calls": [_call(random, nasty=0.1)],
                "child": {"stages": stages(random)},
                "swallows": random.random() < 0.3,
            }
        case _:
            return {"calls": [_call(random, nasty=0.4), _call(random, nasty=0.4)]}


def stages(random: Random) -> list[Any]:
    """What a model does, one answer after another: a mood, or calls of tools."""
    return [_stage(random) for _ in range(random.randint(1, 5))]


def _stage(random: Random) -> Any:
    if random.random() < 0.05:
        return random.choice(MOODS)
    calls = [_call(random, nasty=0.25) for _ in range(random.choice([1, 1, 2, 3, 5]))]
    if len(calls) > 1 and random.random() < 0.06:
        calls[1]["id"] = calls[0]["id"]
    if random.random() < 0.06:
        calls.append({"tool": "nobody_knows", "arguments": {}, "id": "unknown"})
    return calls


def _call(random: Random, *, nasty: float) -> dict[str, Any]:
    tool = random.choice(NAMES)
    arguments: dict[str, Any] = {
        "mode": "works",
        "seconds": random.choice([0, 0, 0, round(random.uniform(0.1, 1.5), 2)]),
    }
    if random.random() < nasty:
        modes = [*ENDS, *DWELLS] if tool not in LOCAL else [mode for mode in ENDS if mode != "ends its process"]
        arguments["mode"] = random.choice(modes)
    if random.random() < nasty / 20:
        arguments = {"mood": 1}
    return {
        "tool": tool,
        "arguments": arguments,
        "id": f"call-{random.randrange(10**6)}",
        "raises": random.random() < 0.3,
    }
