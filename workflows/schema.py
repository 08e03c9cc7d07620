"""Whether a JSON value fits a JSON schema, and where it does not. Runs in workflows.

It knows what pydantic and LangChain write of types, and the rest of what forms need: types, constants, objects, lists,
bounds, patterns, choices, and references within the schema. As the standard has it, other words are remarks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Schema = Any
"""An object, or a boolean: true fits all, false nothing."""

_TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}
_DEEPEST = 50


def misfit(value: Any, schema: Schema) -> str | None:
    """The first fault of `value`, with its place in it, or `None` where it fits."""
    return next(_faults(value, schema, schema, "", 0), None)


def _faults(value: Any, schema: Schema, root: Schema, path: str, depth: int) -> Iterator[str]:
    if isinstance(schema, bool) or depth > _DEEPEST:
        if schema is False:
            yield f"{path or 'it'}: nothing is allowed here"
        return
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield from _faults(value, _referred(root, schema["$ref"]), root, path, depth + 1)
    yield from (f"{path or 'it'}: {fault}" for fault in _of_value(value, schema))
    yield from _of_choices(value, schema, root, path, depth)
    if isinstance(value, dict):
        yield from _of_object(value, schema, root, path, depth)
    if isinstance(value, list):
        yield from _of_list(value, schema, root, path, depth)


def _has_type(value: Any, schema: Mapping[str, Any]) -> bool:
    types = schema.get("type", [])
    return not types or any(_is(value, each) for each in (types if isinstance(types, list) else [types]))


def _of_value(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    if not _has_type(value, schema):
        types = schema["type"]
        yield f"{_shown(value)} where {types if isinstance(types, str) else ' or '.join(types)} is expected"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{_shown(value)} where {_shown(schema['const'])} is expected"
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        yield f"{_shown(value)} where one of {', '.join(map(_shown, schema['enum']))} is expected"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _of_number(value, schema)
    if isinstance(value, str):
        yield from _of_text(value, schema)


def _of_number(value: float, schema: Mapping[str, Any]) -> Iterator[str]:
    if value < schema.get("minimum", value) or value > schema.get("maximum", value):
        yield f"{value} is not between {schema.get('minimum', '…')} and {schema.get('maximum', '…')}"
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield f"{value} is not above {schema['exclusiveMinimum']}"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield f"{value} is not below {schema['exclusiveMaximum']}"
    if "multipleOf" in schema and value % schema["multipleOf"]:
        yield f"{value} is no multiple of {schema['multipleOf']}"


def _of_text(value: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_length(len(value), schema, "Length", "characters")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{_shown(value)} does not match {schema['pattern']!r}"


def _of_length(length: int, schema: Mapping[str, Any], word: str, unit: str) -> Iterator[str]:
    least, most = schema.get(f"min{word}", length), schema.get(f"max{word}", length)
    if length < least:
        yield f"{length} {unit} where {least} are needed"
    if length > most:
        yield f"{length} {unit} where {most} are allowed"


def _of_choices(value: Any, schema: Mapping[str, Any], root: Schema, path: str, depth: int) -> Iterator[str]:
    for each in schema.get("allOf", []):
        yield from _faults(value, each, root, path, depth + 1)
    for word in ("anyOf", "oneOf"):
        choices = schema.get(word, [])
        near = [each for each in choices if not isinstance(each, dict) or _has_type(value, each)] or choices
        faults = [next(_faults(value, each, root, path, depth + 1), None) for each in near]
        if faults and None not in faults:
            yield " or ".join(dict.fromkeys(filter(None, faults)))
        if word == "oneOf" and faults.count(None) > 1:
            yield f"{path or 'it'}: {_shown(value)} fits more than one of the choices"
    if "not" in schema and next(_faults(value, schema["not"], root, path, depth + 1), None) is None:
        yield f"{path or 'it'}: {_shown(value)} is not allowed"


def _of_object(value: dict[str, Any], schema: Mapping[str, Any], root: Schema, path: str, depth: int) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{_joined(path, name)}: missing" for name in schema.get("required", []) if name not in value)
    for name, each in value.items():
        rest = schema.get("additionalProperties", True)
        if name not in properties and rest is False:
            known = ", ".join(map(repr, properties)) or "none"
            yield f"{_joined(path, name)}: unknown; known are {known}"
        else:
            yield from _faults(each, properties.get(name, rest), root, _joined(path, name), depth + 1)


def _of_list(value: list[Any], schema: Mapping[str, Any], root: Schema, path: str, depth: int) -> Iterator[str]:
    yield from (f"{path or 'it'}: {fault}" for fault in _of_length(len(value), schema, "Items", "items"))
    if schema.get("uniqueItems") and any(_same(each, other) for n, each in enumerate(value) for other in value[:n]):
        yield f"{path or 'it'}: the same item twice"
    first = schema.get("prefixItems", [])
    for number, each in enumerate(value):
        expected = first[number] if number < len(first) else schema.get("items", True)
        yield from _faults(each, expected, root, f"{path}[{number}]", depth + 1)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(name, object))


def _same(value: Any, other: Any) -> bool:
    """JSON knows true and 1 as two values, and 1 and 1.0 as one."""
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _referred(root: Schema, reference: Any) -> Schema:
    """The part that `#/$defs/Name` names. What is elsewhere is not fetched: all fits it."""
    found = root
    for part in str(reference).removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~"), True) if isinstance(found, dict) else True
    return found if str(reference).startswith("#") else True


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    text = to_json(value).decode()
    return text if len(text) <= 80 else f"{text[:80]}…"  # noqa: PLR2004 -- a line's length
