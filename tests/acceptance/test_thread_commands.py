"""Conversations from the command line."""

from __future__ import annotations

import json

from tests.acceptance.conftest import Place

THREAD = ("--thread", "from-the-command-line")


async def test_a_conversation_is_begun_gone_on_with_listed_and_closed(served: Place) -> None:
    first = await served.call("perdure", "send", "research", "How do I set a timer in a workflow?", *THREAD)
    second = await served.call("perdure", "send", "research", "What is a worker?", *THREAD, "--json", "--id", "mine")
    listed = await served.call("perdure", "turns", THREAD[1])
    shown = await served.call("perdure", "messages", THREAD[1])
    as_json = await served.call("perdure", "messages", THREAD[1], "--json")
    idle = await served.call("perdure", "interrupt", THREAD[1])
    closed = await served.call("perdure", "close", THREAD[1])
    woken = await served.call("perdure", "send", "research", "-", *THREAD, "--json", given="What is a payload?")

    assert (first.code, second.code, listed.code, closed.code, woken.code) == (0, 0, 0, 0, 0), woken.errors
    assert "Citations" in first.output
    assert json.loads(second.output)["number"] == 2
    assert [line.split()[:2] for line in listed.output.splitlines()] == [["1", "done"], ["2", "done"]]
    assert shown.output.startswith("human:\n  How do I set a timer in a workflow?\n\nai research:\n  search({")
    said = [each["message"] for each in json.loads(as_json.output) if each["kind"] == "said"]
    assert [message["content"] for message in said if message["type"] == "human"] == [
        "How do I set a timer in a workflow?",
        "What is a worker?",
    ]
    assert (idle.code, idle.errors) == (2, "No turn is at work.\n")
    assert json.loads(woken.output)["number"] == 3


async def test_a_thread_without_an_id_is_told_its_own(served: Place) -> None:
    sent = await served.call("perdure", "send", "research", "What is a task queue?", "--detach", "--id", "mine")

    assert (sent.code, sent.output) == (0, "mine\n")
    assert "--thread research-" in sent.errors


async def test_what_can_not_be_sent_is_the_caller_s_mistake(served: Place) -> None:
    empty = await served.call("perdure", "send", "research", " ", *THREAD)
    unknown = await served.call("perdure", "send", "research", "Hello", *THREAD, "--policy", "polite")
    nowhere = await served.call("perdure", "turns", "nowhere")

    assert (empty.code, unknown.code, nowhere.code) == (2, 2, 2)
    assert "empty" in empty.errors
    assert "enqueue, reject, interrupt, rollback, steer" in unknown.errors
    assert "There is no run 'nowhere'" in nowhere.errors
