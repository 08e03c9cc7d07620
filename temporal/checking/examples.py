"""Values of the right kind, made up: from JSON schemas for what models give, from annotations for what code gives."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin
from uuid import UUID

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langgraph.graph.message import add_messages
from langgraph.types import Command
from pydantic import BaseModel
from typing_extensions import is_typeddict

from activities.wire import hints_of

TEXT = "example"

FORMATS = {
    "date": "2030-01-02",
    "date-time": "2030-01-02T03:04:05Z",
    "time": "03:04:05Z",
    "duration": "PT1S",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def from_schema(schema: Mapping[str, Any]) -> Any:
    """A value that a JSON schema allows; patterns are not looked at."""
    return _from_schema(schema, schema.get("$defs", {}))


def _from_schema(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if "$ref" in schema:
        return _from_schema(definitions.get(str(schema["$ref"]).rpartition("/")[2], {}), definitions)
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _from_schema(schema[key][0], definitions)
    return _of_kind(schema, definitions)


def _of_kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {name: _from_schema(fields.get(name, {}), definitions) for name in schema.get("required", ())}
        case "array":
            items = schema.get("items", {})
            return [_from_schema(items, definitions) for _ in range(max(1, schema.get("minItems", 1)))]
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            text = FORMATS.get(schema.get("format", ""), TEXT).ljust(schema.get("minLength", 0), "x")
            return text[: schema.get("maxLength")]


PLAIN: dict[Any, Any] = {
    str: TEXT,
    int: 1,
    float: 1.0,
    bool: True,
    bytes: TEXT.encode(),
    Decimal: Decimal(1),
    datetime: datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    date: date(2030, 1, 2),
    time: time(3, 4, 5),
    timedelta: timedelta(seconds=1),
    UUID: UUID(FORMATS["uuid"]),
    Document: Document(page_content=TEXT),
    type(None): None,
    None: None,
}


def of_type(annotation: Any) -> Any:
    """A value that the annotation allows. Raises `LookupError` for one that says nothing."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated and add_messages in arguments:
        return [AIMessage(TEXT)]
    if origin in (Annotated, Required, NotRequired):
        return of_type(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return AIMessage(TEXT) if annotation == AnyMessage else of_type(arguments[0])
    kind = origin or annotation
    if kind in PLAIN:
        return PLAIN[kind]
    if not isinstance(kind, type):
        raise LookupError(f"{annotation!r} says nothing of a value")  # noqa: TRY004 -- one error for all
    return _of_class(kind, arguments)


def _of_class(kind: type, arguments: tuple[Any, ...]) -> Any:
    if is_typeddict(kind):
        required = getattr(kind, "__required_keys__", ())
        return {name: of_type(hint) for name, hint in hints_of(kind).items() if name in required}
    if issubclass(kind, Enum):
        return next(iter(kind))
    if issubclass(kind, BaseMessage):
        return AIMessage(TEXT)
    if issubclass(kind, BaseModel):
        fields = {name: field for name, field in kind.model_fields.items() if field.is_required()}
        return kind.model_construct(**{name: of_type(field.annotation) for name, field in fields.items()})
    if dataclasses.is_dataclass(kind) and not issubclass(kind, Command):
        hints = hints_of(kind)
        return kind(**{field.name: of_type(hints[field.name]) for field in dataclasses.fields(kind) if _needed(field)})
    return _of_collection(kind, arguments)


def _needed(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.init and field.default is missing and field.default_factory is missing


def _of_collection(kind: type, arguments: tuple[Any, ...]) -> Any:
    if issubclass(kind, Mapping):
        return {}
    if kind is tuple:
        return tuple(of_type(each) for each in arguments if each is not Ellipsis)
    if kind.__name__ in ("list", "Sequence", "Iterable", "Collection"):
        return _items(arguments)
    if kind in (set, frozenset):
        return kind(_items(arguments))
    raise LookupError(f"{kind!r} says nothing of a value")


def _items(arguments: tuple[Any, ...]) -> list[Any]:
    with suppress(LookupError):
        return [of_type(argument) for argument in arguments]
    return []
