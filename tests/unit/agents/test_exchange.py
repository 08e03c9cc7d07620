"""What comes out of a graph is JSON, or is refused by its path."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from agents.errors import UnsupportedValue
from agents.exchange import output_of


class Line(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    article: str
    handle: Any = None


LOOP: dict[str, Any] = {}
LOOP["self"] = LOOP


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({"x": object()}, "output.x"),
        ({"lines": [Line(article="nail"), Line(article="tax", handle=object())]}, "output.lines[1].handle"),
        ({"x": (1, {"y": [object()]})}, "output.x[1].y[0]"),
        ({"structured_response": Line(article="nail", handle=object())}, "structured_response.handle"),
        (object(), "output"),
        (LOOP, "output.self"),
    ],
    ids=["object", "model", "nested", "structured response", "whole", "loop"],
)
def test_what_is_no_json_is_named_by_its_path(state, place) -> None:
    with pytest.raises(UnsupportedValue) as refused:
        output_of(state)

    assert str(refused.value).startswith(place)
    assert "can't be written as JSON" in str(refused.value)
