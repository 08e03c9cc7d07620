"""What is told of chats, and that what is said in them follows from the turn alone."""

from dataclasses import replace

import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage

from benchmarks.chat import OUTPUT_CHARACTERS, ChatModel, answer, order_log, question
from benchmarks.growth import CHATTERS, Chats
from benchmarks.replay import sizes_to_replay
from benchmarks.reports.growth import report
from benchmarks.reports.table import NOTHING
from benchmarks.roster import OFFICIAL, PERDURE


@pytest.fixture
def chats(chat_of):
    """All had 50 turns but a peer, which was stopped after 30 with ten times the bytes."""
    held = [chat_of(contestant, [100] * 50) for contestant in CHATTERS if contestant != OFFICIAL]
    return Chats([*held, chat_of(OFFICIAL, [1_000] * 30, ended="terminated: It is too long.")], (10, 50), "1.32.0")


def row(text, name, turns):
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    [found] = [line[2:] for line in cells if line[:2] == [name, str(turns)]]
    return found


async def test_a_chat_is_the_same_whoever_holds_it():
    graph = create_agent(ChatModel(), [order_log])
    state = {"messages": []}

    for turn in (1, 2):
        state = await graph.ainvoke({"messages": [*state["messages"], ("user", question(turn))]})

    assert state["messages"][3].text == answer(1)
    assert state["messages"][-1].text == answer(2)
    assert [len(each.text) for each in state["messages"] if isinstance(each, ToolMessage)] == [OUTPUT_CHARACTERS] * 2


def test_a_row_has_what_a_chat_was_after_so_many_turns(chats, circumstances):
    text = report(chats, circumstances)

    executions, events, _, bytes_per_turn, latency, worker_cpu = row(text, PERDURE.name, 50)
    assert (executions, events, bytes_per_turn) == ("1", "51", "100")
    assert (latency, worker_cpu) == ("45.5", "22.8")


def test_a_chat_that_ended_has_a_row_for_its_last_turn_and_none_for_more(chats, circumstances):
    text = report(chats, circumstances)

    assert row(text, OFFICIAL.name, 30)[1] == "31"
    assert set(row(text, OFFICIAL.name, 50)) == {NOTHING}
    assert f"{OFFICIAL.name} gets no further than 30 turns (terminated: It is too long)." in text
    assert "10 times what perdure writes" in text


def test_a_report_says_how_steady_a_history_grows_and_who_takes_part(chats, circumstances):
    text = report(chats, circumstances)

    assert "from turn 20 on a turn takes 100 to 100 bytes" in text
    assert "Made by `make bench` on 2026-01-31; do not edit. One chat each on 2 cores" in text
    assert all(f"- **{contestant.name}**" in text for contestant in CHATTERS)


def test_all_are_replayed_at_the_largest_size_that_a_peer_reached(chats):
    assert sizes_to_replay(chats) == [10, 30, 50]
    assert sizes_to_replay(replace(chats, held=chats.held[:-1])) == [10, 50]
