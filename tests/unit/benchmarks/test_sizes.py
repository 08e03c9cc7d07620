"""How the histories of a chat become sizes after so many turns."""

import pytest

from benchmarks.growth import Chat, Turn
from benchmarks.roster import PERDURE
from benchmarks.sizes import bytes_per_turn, executions_after, size_after, size_of, steadiness, turn_figure


def test_a_size_is_that_of_the_events_up_to_the_end_of_the_turn(chat_of):
    chat = chat_of(PERDURE, [100, 200, 300])

    started = size_of(chat.histories[0]) - 600

    assert size_after(chat, 2).events == 3
    assert size_after(chat, 2).bytes == started + 300


def test_executions_before_the_one_of_a_turn_count_as_a_whole(chat_of):
    first, second = chat_of(PERDURE, [100, 200]), chat_of(PERDURE, [400, 800])
    second.histories[0].events[0].workflow_execution_started_event_attributes.original_execution_run_id = "run-2"
    turns = [Turn("run-1", 2, 1.0, 1.0), Turn("run-2", 2, 1.0, 1.0)]
    chat = Chat(PERDURE, turns, [*first.histories, *second.histories])

    found = executions_after(chat, 2)

    assert [len(history.events) for history in found] == [3, 2]
    assert size_after(chat, 2).bytes == size_of(first.histories[0]) + size_of(found[1])
    assert size_after(chat, 1).executions == 1


def test_the_bytes_of_a_turn_are_those_of_the_last_ten(chat_of):
    chat = chat_of(PERDURE, [1_000] * 10 + [100] * 5 + [300] * 5)

    assert bytes_per_turn(chat, 20) == 200


@pytest.mark.parametrize(("sizes", "expected"), [([500] * 60, (500, 500)), (range(200, 260), (224.5, 254.5))])
def test_a_history_that_grows_with_what_is_said_is_steady(chat_of, sizes, expected):
    found = steadiness(chat_of(PERDURE, list(sizes)), start=20)

    assert found is not None
    assert (found.low, found.high) == expected


def test_a_figure_of_a_turn_is_the_median_of_the_last_ten_in_milliseconds(chat_of):
    chat = chat_of(PERDURE, [100] * 20)

    assert turn_figure(chat.turns, "seconds") == pytest.approx(15.5)
    assert turn_figure(chat.turns, "worker_cpu") == pytest.approx(7.75)
