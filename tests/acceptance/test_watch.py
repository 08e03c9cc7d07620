"""`perdure watch`, as a user calls it."""

from __future__ import annotations

import json

from tests.acceptance.conftest import Place

QUESTION = "How is an activity notified that it was cancelled?"


async def test_a_run_is_watched_as_lines_of_json_from_any_place(served: Place) -> None:
    started = await served.call("perdure", "run", "research", QUESTION, "--detach")
    run = started.output.strip()

    whole = await served.call("perdure", "watch", run, "--json")
    events = [json.loads(line) for line in whole.output.splitlines()]
    rest = await served.call("perdure", "watch", run, "--json", "--after", events[4]["id"])

    assert [event["type"] for event in events[:1] + events[-1:]] == ["run", "result"]
    assert [json.loads(line) for line in rest.output.splitlines()] == events[5:]


async def test_modes_leave_out_what_they_do_not_name(served: Place) -> None:
    started = await served.call("perdure", "run", "research", QUESTION, "--detach")

    watched = await served.call("perdure", "watch", started.output.strip(), "--json", "--mode", "updates")
    refused = await served.call("perdure", "watch", started.output.strip(), "--mode", "dreams")

    assert {json.loads(line)["type"] for line in watched.output.splitlines()} == {"run", "update", "result"}
    assert refused.code == 2
    assert "There is no mode 'dreams'. Known: values, updates" in refused.errors


async def test_in_a_pipe_steps_are_lines_and_the_answer_comes_last(served: Place) -> None:
    started = await served.call("perdure", "run", "research", QUESTION, "--detach")

    watched = await served.call("perdure", "watch", started.output.strip())

    assert watched.code == 0, watched.errors
    assert "✓ retrieve" in watched.errors
    assert "Citations" in watched.output


async def test_what_is_no_run_and_no_event_is_refused(served: Place) -> None:
    unknown = await served.call("perdure", "watch", "nothing")
    started = await served.call("perdure", "run", "research", QUESTION, "--detach")
    off = await served.call("perdure", "watch", started.output.strip(), "--after", "x")

    assert (unknown.code, off.code) == (2, 2)
    assert "There is no run 'nothing'" in unknown.errors
    assert "'x' is no id of an event" in off.errors
