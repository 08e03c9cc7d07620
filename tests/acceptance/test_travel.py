"""What a run was and did, and forks of it, as users call for them."""

from __future__ import annotations

import json
import re

from tests.acceptance.conftest import Place


async def test_a_run_is_read_and_forked_from_the_command_line(served: Place) -> None:
    started = await served.call("perdure", "run", "research", "How is an activity cancelled?", "--id", "travelled")
    assert started.code == 0, started.errors

    history = await served.call("perdure", "history", "travelled")
    state = await served.call("perdure", "state", "travelled", "--json")
    forked = await served.call("perdure", "fork", "travelled", "--input", "What is a task queue?", "--id", "forked")
    origin = await served.call("perdure", "state", "forked")

    assert re.search(r"call_model · extractive +[0-9.]+ m?s", history.output)
    assert "not kept" in history.output
    [end] = re.findall(r"end +(\S+)", history.output)
    assert json.loads(state.output)["checkpoint"] == end
    assert forked.code == 0, forked.errors
    assert "Cost: 2 model calls" in forked.output
    assert f"Forked from travelled at checkpoint {end}" in origin.output


async def test_what_cant_be_travelled_to_is_refused_in_a_line(served: Place) -> None:
    await served.call("perdure", "run", "research", "How is an activity cancelled?", "--id", "not-travelled")

    unkept = await served.call("perdure", "state", "not-travelled", "--checkpoint", "nonsense")
    nothing = await served.call("perdure", "fork", "not-travelled")
    rewound = await served.call("perdure", "rewind", "not-travelled", "--turn", "first")
    malformed = await served.call("perdure", "fork", "not-travelled", "--state", "{")

    assert (unkept.code, nothing.code, rewound.code, malformed.code) == (1, 2, 2, 2)
    assert "Checkpoint 'nonsense' is not kept" in unkept.errors
    assert "Nothing comes after checkpoint" in nothing.errors
    assert "is no thread" in rewound.errors
    assert "--state is no JSON" in malformed.errors
