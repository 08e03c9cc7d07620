"""The wire form of values that cross between workflow and activity: JSON that keeps each value's type.

Unknown types are refused by name and path when they are encoded; decoding builds the types listed here and those
that an agent declares, and nothing else.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, get_args, get_type_hints
from uuid import UUID

from langchain_core.documents import Document
from langchain_core.messages import AnyMessage, BaseMessage, RemoveMessage
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Command, Interrupt, Overwrite, Send, TimeoutPolicy
from pydantic import BaseModel, BeforeValidator, PlainSerializer, TypeAdapter
from pydantic_core import PydanticSerializationError, to_json
from typing_extensions import is_typeddict

from activities.plain import LARGE, is_plain, is_text
from agents.errors import UnsupportedValue

TAG = "$type"
Types = Mapping[str, type]

_message = TypeAdapter[BaseMessage](AnyMessage)


def dump_message(message: BaseMessage) -> dict[str, Any]:
    """The short form, about 300 bytes, without the artifact, which no model sees.

    The `type` is a default, and must stay: loading goes by it.
    """
    fields = message.model_dump(mode="json", exclude_defaults=True, exclude={"artifact"})
    if not _is_json(fields):
        fields = _tagged("fields", encode(fields))
    return {**fields, "type": message.type}


def _is_json(fields: dict[str, Any]) -> bool:
    """Half of a surrogate pair keeps a message from it. Most of one is its content, which may be of many megabytes."""
    text = fields.get("content")
    try:
        return (
            is_text(text) and bool(to_json({**fields, "content": ""}))
            if isinstance(text, str)
            else bool(to_json(fields))
        )
    except PydanticSerializationError:
        return False


def load_message(value: Any) -> BaseMessage:
    if isinstance(value, BaseMessage):
        return value
    if TAG in value:
        value = {**decode(value["value"], {}), "type": value["type"]}
    if value.get("type") == "remove":  # LangChain's union of messages leaves it out
        return RemoveMessage.model_validate(value)
    return _message.validate_python(value)


Message = Annotated[Any, BeforeValidator(load_message), PlainSerializer(dump_message)]
"""A chat message as a field of a model that crosses. `Any` because pydantic would narrow it to `BaseMessage`."""


def name_of(type_: type) -> str:
    return f"{type_.__module__}:{type_.__qualname__}"


def types_in(annotations: Iterable[Any]) -> dict[str, type]:
    """The pydantic models, dataclasses and enums that the annotations mention, by name, with their fields' types."""
    found: dict[str, type] = {}
    pending, seen = list(annotations), list[Any]()
    while pending:
        annotation = pending.pop()
        pending.extend(get_args(annotation))
        if not isinstance(annotation, type) or annotation in seen:
            continue
        seen.append(annotation)
        pending.extend(_field_types(annotation))
        if _is_structured(annotation):
            found[name_of(annotation)] = annotation
    return found


def _is_structured(type_: type) -> bool:
    return issubclass(type_, (BaseModel, Enum)) or dataclasses.is_dataclass(type_)


def _field_types(type_: type) -> Iterator[Any]:
    if issubclass(type_, BaseModel):
        yield from (field.annotation for field in type_.model_fields.values())
    elif is_typeddict(type_) or dataclasses.is_dataclass(type_):
        yield from hints_of(type_).values()


def hints_of(thing: Any) -> dict[str, Any]:
    """The annotations of a class or function. As they stand, where one names what can't be found."""
    try:
        return get_type_hints(thing, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return dict(getattr(thing, "__annotations__", {}))


# Encoding


def encode(value: Any, *, path: str = "value") -> Any:  # noqa: PLR0911 -- one arm a kind
    match value:
        case None | bool():
            return value
        case Enum():
            return _tagged("enum", [name_of(type(value)), value.name])
        case int():
            return value
        case float():
            return value if value - value == 0 else _tagged("float", repr(value))
        case str():
            return _encode_text(value)
        case list() | dict() if len(value) >= LARGE and is_plain(value, TAG):
            return value
        case list():
            return [encode(item, path=f"{path}[{index}]") for index, item in enumerate(value)]
        case dict():
            return _encode_mapping(value, path)
        case _:
            return _encode_object(value, path)


def _tagged(tag: str, value: Any) -> dict[str, Any]:
    return {TAG: tag, "value": value}


def _encode_text(text: str) -> Any:
    if is_text(text):
        return text
    return _tagged("text", base64.b64encode(text.encode("utf-16-le", "surrogatepass")).decode())


def _encode_mapping(mapping: Mapping[Any, Any], path: str) -> Any:
    if all(isinstance(key, str) for key in mapping) and TAG not in mapping:
        return {key: encode(item, path=f"{path}.{key}") for key, item in mapping.items()}
    pairs = [[encode(key, path=f"{path} key"), encode(item, path=f"{path}[{key!r}]")] for key, item in mapping.items()]
    return _tagged("map", pairs)


def _encode_object(value: Any, path: str) -> Any:
    if isinstance(value, BaseMessage):
        artifact = getattr(value, "artifact", None)
        return _tagged("message", [dump_message(value), encode(artifact, path=f"{path}.artifact")])
    if isinstance(value, BaseModel):
        return _tagged("model", _encode_model(value, path))
    for tag, type_, dump, _ in _PLAIN:
        if type(value) is type_:
            return _tagged(tag, encode(dump(value), path=path))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return _tagged("dataclass", [name_of(type(value)), _encode_mapping(fields, path)])
    raise UnsupportedValue(
        f"{path} is a {name_of(type(value))}, which can't cross between workflow and activity. "
        "Pass data: JSON values, messages, documents, pydantic models or dataclasses."
    )


def _encode_model(model: BaseModel, path: str) -> list[Any]:
    """Name, fields, and the names of fields that were left to their defaults: LangGraph looks at what was set."""
    fields = {name: getattr(model, name) for name in type(model).model_fields} | (model.model_extra or {})
    unset = [name for name in type(model).model_fields if name not in model.model_fields_set]
    return [name_of(type(model)), _encode_mapping(fields, path), *([unset] if unset else [])]


def _take_send_apart(send: Send) -> list[Any]:
    return [send.node, send.arg, *([send.timeout] if send.timeout else [])]


def _make_send(parts: list[Any]) -> Send:
    node, arg, *timeout = parts
    return Send(node, arg, timeout=timeout[0] if timeout else None)


def _make_command(fields: dict[str, Any]) -> Command[Any]:
    """LangGraph's `ToolNode` looks whether the graph `is` `Command.PARENT`."""
    graph = Command.PARENT if fields["graph"] == Command.PARENT else fields["graph"]
    return Command(**{**fields, "graph": graph})


_PLAIN: tuple[tuple[str, type, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    ("tuple", tuple, list, tuple),
    ("set", set, lambda value: sorted(value, key=repr), set),
    ("frozenset", frozenset, lambda value: sorted(value, key=repr), frozenset),
    ("bytes", bytes, lambda value: base64.b64encode(value).decode(), base64.b64decode),
    ("datetime", datetime, datetime.isoformat, datetime.fromisoformat),
    ("date", date, date.isoformat, date.fromisoformat),
    ("time", time, time.isoformat, time.fromisoformat),
    (
        "timedelta",
        timedelta,
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda value: timedelta(*value),
    ),
    ("decimal", Decimal, str, Decimal),
    ("uuid", UUID, str, UUID),
    ("send", Send, _take_send_apart, _make_send),
    (
        "command",
        Command,
        lambda value: {"graph": value.graph, "update": value.update, "resume": value.resume, "goto": value.goto},
        _make_command,
    ),
    ("snapshot", _DeltaSnapshot, lambda value: [value.value], lambda value: _DeltaSnapshot(*value)),
    ("interrupt", Interrupt, lambda value: [value.value, value.id], lambda value: Interrupt(*value)),
)
"""Tag, exact type, how it is taken apart into encodable values, how it is put together again."""


# Decoding


def decode(value: Any, types: Types) -> Any:
    """The value again. Raises `UnsupportedValue` for a type that `types` does not name."""
    match value:
        case list() | dict() if len(value) >= LARGE and is_plain(value, TAG):
            return value
        case list():
            return [decode(item, types) for item in value]
        case dict() if TAG in value:
            return _decode_tagged(value[TAG], value["value"], types)
        case dict():
            return {key: decode(item, types) for key, item in value.items()}
        case _:
            return value


def _decode_tagged(tag: str, value: Any, types: Types) -> Any:  # noqa: PLR0911 -- one arm a tag
    match tag:
        case "message":
            return _decode_message(value[0], value[1], types)
        case "float":
            return float(value)
        case "text":
            return base64.b64decode(value).decode("utf-16-le", "surrogatepass")
        case "map":
            return {decode(key, types): decode(item, types) for key, item in value}
        case "enum":
            return _listed(value[0], types)[value[1]]
        case "model":
            return _decode_model(_listed(value[0], types), decode(value[1], types), value[2] if value[2:] else ())
        case "dataclass":
            return _listed(value[0], types)(**decode(value[1], types))
        case _:
            return _load(tag)(decode(value, types))


def _decode_message(fields: Any, artifact: Any, types: Types) -> BaseMessage:
    message = load_message(fields)
    if artifact is not None:
        message.artifact = decode(artifact, types)  # type: ignore[attr-defined] # only a ToolMessage has one
    return message


def _decode_model(type_: type[BaseModel], fields: Any, unset: Iterable[str]) -> BaseModel:
    model = type_.model_validate(fields, by_alias=True, by_name=True)
    model.model_fields_set.difference_update(unset)
    return model


def _listed(name: str, types: Types) -> Any:
    # `Any`: the tag says whether a model, a dataclass or an enum is meant
    if type_ := _OWN_TYPES.get(name) or types.get(name):
        return type_
    raise UnsupportedValue(f"{name} is not among the agent's types. Declare it: Agent(..., types=[...]).")


def _load(tag: str) -> Callable[[Any], Any]:
    for known, _, _, load in _PLAIN:
        if known == tag:
            return load
    raise UnsupportedValue(f"{tag!r} is no type that Perdure wrote. The data comes from elsewhere, or a newer version.")


_OWN_TYPES: Types = {name_of(type_): type_ for type_ in (Document, Overwrite, TimeoutPolicy)}
