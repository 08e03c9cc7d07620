"""Large values are looked through level by level, and the answer is that of walking them."""

from __future__ import annotations

import enum
import math

import pytest

from activities.plain import MOST_VALUES, is_plain, refuse_vast
from activities.wire import TAG, decode, encode
from agents.errors import ValueTooLarge

ROWS = [{"id": number, "name": "ä", "values": [1.5, None, True]} for number in range(100)]


class Colour(enum.StrEnum):
    RED = "red"


def test_json_is_plain():
    assert is_plain(ROWS, TAG)


@pytest.mark.parametrize(
    "foreign",
    [(1, 2), {3}, b"bytes", math.nan, math.inf, Colour.RED, {1: "number"}, {TAG: "mine"}, "\ud800", {"\ud800": 1}],
    ids=repr,
)
def test_what_needs_a_tag_is_found_at_any_depth(foreign):
    assert not is_plain([*ROWS, {"deep": [{"deeper": foreign}]}], TAG)


def test_a_large_value_with_something_in_it_that_needs_a_tag_keeps_its_types():
    value = [*ROWS, {"deep": [(1, 2)]}]

    assert decode(encode(value), {}) == value


def test_what_holds_itself_is_not_plain():
    endless: list[object] = [1] * 100
    endless.append(endless)

    assert not is_plain(endless, TAG)
    refuse_vast([[]], "A small value")


def test_more_values_than_are_allowed_are_refused_by_name():
    with pytest.raises(ValueTooLarge, match="What came holds more than 1,000,000 values"):
        refuse_vast({"rows": [1] * MOST_VALUES}, "What came")


def test_a_long_text_is_one_value():
    refuse_vast("x" * (MOST_VALUES + 1), "A text")
