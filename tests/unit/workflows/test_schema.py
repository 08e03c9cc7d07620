from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

from workflows.schema import misfit


class Line(BaseModel):
    sku: str = Field(pattern=r"^[A-Z]+$", max_length=4)
    count: int = Field(ge=1, le=9)


class Verdict(BaseModel, extra="forbid"):
    kind: Literal["yes", "no"]
    lines: list[Line] = Field(default=[], max_length=2)
    note: str | None = None
    pair: tuple[int, str] | None = None


class Town(TypedDict):
    name: str


@pytest.mark.parametrize(
    ("schema", "value", "fault"),
    [
        (Verdict, {"kind": "yes"}, None),
        (Verdict, {"kind": "maybe"}, """kind: "maybe" where one of "yes", "no" is expected"""),
        (Verdict, {}, "kind: missing"),
        (Verdict, "yes", """it: "yes" where object is expected"""),
        (Verdict, {"kind": "no", "why": 1}, "why: unknown; known are 'kind', 'lines', 'note', 'pair'"),
        (Verdict, {"kind": "no", "lines": [{"sku": "A", "count": 1}]}, None),
        (Verdict, {"kind": "no", "lines": [{"sku": "a", "count": 1}]}, """lines[0].sku: "a" does not match"""),
        (Verdict, {"kind": "no", "lines": [{"sku": "A", "count": 0}]}, "lines[0].count: 0 is not between 1 and 9"),
        (Verdict, {"kind": "no", "lines": [{"sku": "A"}]}, "lines[0].count: missing"),
        (Verdict, {"kind": "no", "lines": [{"sku": "ABCDE", "count": 1}]}, "lines[0].sku: 5 characters where 4 are"),
        (Verdict, {"kind": "no", "lines": [1, 2, 3]}, "lines: 3 items where 2 are allowed"),
        (Verdict, {"kind": "no", "note": None}, None),
        (Verdict, {"kind": "no", "note": 3}, "note: 3 where string is expected or note: 3 where null is expected"),
        (Verdict, {"kind": "no", "pair": [1, "x"]}, None),
        (Verdict, {"kind": "no", "pair": [1, 2]}, "pair[1]: 2 where string is expected"),
        (Town, {"name": "Rome", "more": 1}, None),
        (Town, {"name": 1}, "name: 1 where string is expected"),
        (int, True, "it: true where integer is expected"),
        (int, 3.0, None),
        (float, 3, None),
        (bool, 1, "it: 1 where boolean is expected"),
        (Literal[1], True, "it: true where integer is expected"),
        (Annotated[int, Field(gt=2, lt=5, multiple_of=2)], 2, "it: 2 is not above 2"),
        (Annotated[int, Field(gt=2, lt=5, multiple_of=2)], 3, "it: 3 is no multiple of 2"),
        (dict[str, int], {"a": "b"}, """a: "b" where integer is expected"""),
        (set[int], [1, 1], "it: the same item twice"),
        (Any, [1, {}], None),
    ],
)
def test_a_value_fits_what_pydantic_writes_of_a_type(schema: Any, value: Any, fault: str | None) -> None:
    found = misfit(value, TypeAdapter(schema).json_schema())

    assert found == fault or (fault is not None and found is not None and found.startswith(fault))


@pytest.mark.parametrize(
    ("schema", "value", "fault"),
    [
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, 4, "it: 4 fits more than one of the choices"),
        ({"not": {"const": "no"}}, "no", """it: "no" is not allowed"""),
        ({"type": ["string", "null"]}, 1, "it: 1 where string or null is expected"),
        ({"properties": {"a": False}}, {"a": 1}, "a: nothing is allowed here"),
        ({"$ref": "https://example.org/elsewhere"}, 1, None),
        ({"$ref": "#"}, 1, None),
        ({"format": "made-up", "x-remark": 1}, 1, None),
    ],
)
def test_what_an_author_writes_by_hand_is_understood_too(schema: Any, value: Any, fault: str | None) -> None:
    assert misfit(value, schema) == fault
