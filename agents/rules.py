"""Rules of approval in CEL, the Common Expression Language: evaluated in microseconds, with neither a clock nor I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from agents.errors import known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cel import Program

FACTS = ("tool", "arguments", "effect", "tenant", "user", "cost")
"""What a rule may look at."""

FUNCTIONS = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "type"),
        *("int", "uint", "double", "string", "bytes", "duration", "timestamp", "dyn"),
    }
)
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*\(\s*(\w+)\s*,")
"""Names that a macro binds, as `x` in `list.exists(x, x > 3)`."""

_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")


@dataclass(frozen=True, slots=True)
class Rule:
    """An expression over `FACTS` that is true where a person must be asked. Raises `ValueError` where it is none."""

    text: str

    def __post_init__(self) -> None:
        _compiled(self.text)

    def asks(self, facts: Mapping[str, Any]) -> tuple[bool, str | None]:
        """Whether to ask. A rule that fails asks, too, and then says what was wrong."""
        try:
            found = _compiled(self.text).execute(dict(facts))
        except Exception as error:  # noqa: BLE001 -- whatever it is, a person decides
            return True, f"{type(error).__name__}: {error}"
        return (
            (found, None) if isinstance(found, bool) else (True, f"it gave {found!r} where true or false is expected")
        )


@cache
def _compiled(text: str) -> Program:
    import cel  # noqa: PLC0415 -- half a second, mostly for a command line of its own: for those who have a rule

    try:
        program = cel.compile(text)
    except ValueError as error:
        raise ValueError(f"The rule {text!r} is off{_explained(str(error))}") from None
    _refuse_unknown(text, "knows", program.variables(), {*FACTS, *_BOUND.findall(text)}, FACTS)
    functions = [name for name in program.functions() if name[0].isalpha()]
    _refuse_unknown(text, "has the function", functions, FUNCTIONS, FUNCTIONS)
    return program


def _refuse_unknown(text: str, verb: str, used: list[str], allowed: Any, told: Any) -> None:
    for name in used:
        if name not in allowed:
            column = text.find(name) + 1
            raise ValueError(f"The rule {text!r} is off at column {column}: no rule {verb} {name!r}. {known(told)}")


def _explained(said: str) -> str:
    found = _PLACE.search(said)
    return f" at line {found[1]}, column {found[2]}: {found[3]}" if found else f": {said}"
