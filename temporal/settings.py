"""What an operator may set: `PERDURE_…` variables and `.env`, read once and handed down as arguments.

Temporal's own `TEMPORAL_…` variables and profiles, and the vendors' keys, keep their names:
see temporal/client.py and activities/providers.py.
"""

from __future__ import annotations

import difflib
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ByteSize, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.masking import MASK, mask_credentials
from agents.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

PREFIX = "PERDURE_"
DELIMITER = "__"
ENV_FILE = Path(".env")

STORAGE_OFF = "off"
STREAM_SCHEMES = ("redis", "rediss", "valkey", "valkeys")
STORAGE_SCHEMES = ("file", "s3", "gs", "az", "abfss")


class InvalidSettings(FatalError):
    """A variable that is unknown, or has a value that can't be used."""


def _web_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("an address that begins with http:// or https://")
    return value.rstrip("/")


def _storage_url(value: str) -> str:
    """Credentials have variables of their own; a URL is printed."""
    parts = urlsplit(value)
    if value != STORAGE_OFF and parts.scheme not in STORAGE_SCHEMES:
        schemes = ", ".join(f"{scheme}://" for scheme in STORAGE_SCHEMES)
        raise ValueError(f"{STORAGE_OFF!r}, or a URL that begins with {schemes}")
    named_account = parts.scheme == "abfss"
    if parts.password or parts.query or parts.fragment or (parts.username and not named_account):
        raise ValueError("a URL of bucket and prefix alone; credentials belong in the vendor's variables")
    return value.rstrip("/")


Port = Annotated[int, Field(ge=1, le=65_535)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
StorageUrl = Annotated[str, AfterValidator(_storage_url)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeaviateSettings(Section):
    """Where documents are kept. Without a `url` it is the embedded Weaviate of this checkout."""

    url: WebAddress | None = None
    grpc_host: str | None = None
    grpc_port: Port | None = None
    api_key: SecretStr | None = None
    binary: Path | None = None


class StorageSettings(Section):
    """Where payloads of 64 KiB and more are kept; without a `url`, in the state folder of a server of this machine.

    A payload of more than `largest` bytes is refused.
    """

    url: StorageUrl | None = None
    largest: ByteSize = Field(default=ByteSize(96 * 1024**2), ge=1024**2, le=1024**3)


def _stream_url(value: SecretStr | None) -> SecretStr | None:
    if value is not None and urlsplit(value.get_secret_value()).scheme not in STREAM_SCHEMES:
        schemes = ", ".join(f"{scheme}://" for scheme in STREAM_SCHEMES)
        raise ValueError(f"a URL that begins with {schemes}")
    return value


class StreamSettings(Section):
    """Where events go to those who watch: a Redis or Valkey server by its `url`, or the state folder of this machine.

    They are kept for `keep_seconds`, in the state folder up to `largest` bytes, on a server `longest` events of a run.
    `debug` adds LangGraph's own debug events, which hold the whole state again and again.
    """

    url: Annotated[SecretStr | None, AfterValidator(_stream_url)] = None
    keep_seconds: float = Field(default=24 * 3_600.0, gt=0)
    largest: ByteSize = Field(default=ByteSize(256 * 1024**2), ge=1024**2)
    longest: int = Field(default=20_000, ge=100)
    debug: bool = False


class WorkerSettings(Section):
    """`cached_workflows` is how many runs a worker keeps in memory; with 0 each task replays, and no step is local.

    A step under way beats every `heartbeat_seconds`, and so long a cancellation may take to reach it.
    `tool_processes` is how many synchronous tools may run at once.
    """

    max_concurrent_activities: int = Field(default=100, ge=1)
    max_concurrent_workflow_tasks: int = Field(default=50, ge=1)
    cached_workflows: int = Field(default=500, ge=0)
    shutdown_seconds: float = Field(default=4.0, ge=0)
    heartbeat_seconds: float = Field(default=0.8, gt=0)
    tool_processes: int = Field(default=32, ge=1)
    sandbox: bool = False


class LogSettings(Section):
    """`auto` is readable in a terminal and JSON lines elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class DevSettings(Section):
    """Ports of the embedded stack; those that are not set are chosen among the free ones."""

    temporal_port: Port | None = None
    ui_port: Port | None = None
    weaviate_port: Port | None = None


class Settings(BaseSettings):
    """All settings. `model` and `embedding` are chosen from the environment where they are not set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        env_ignore_empty=True,
        env_file=ENV_FILE,
        dotenv_filtering="only_existing",
        frozen=True,
        extra="forbid",
    )

    model: str | None = None
    embedding: str | None = None
    state: Path = Path(".perdure")
    task_queue: str = Field(default="perdure", min_length=1)
    ui_url: WebAddress | None = None
    weaviate: WeaviateSettings = WeaviateSettings()
    storage: StorageSettings = StorageSettings()
    stream: StreamSettings = StreamSettings()
    worker: WorkerSettings = WorkerSettings()
    log: LogSettings = LogSettings()
    dev: DevSettings = DevSettings()


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as `perdure doctor` prints it: secrets masked, with the place it came from."""

    variable: str
    value: str
    origin: Literal["environment", ".env", "default"]


def read_environment(env_file: Path = ENV_FILE) -> dict[str, str]:
    """The process's variables over those of `env_file`: settings, vendors' keys and `TEMPORAL_…`."""
    return _read_file(env_file) | dict(os.environ)


def read_settings(env_file: Path = ENV_FILE) -> Settings:
    """The settings of this process. Raises InvalidSettings, one line for each variable that is wrong."""
    variables = {_variable(path): field for path, field in _leaves(Settings)}
    given = {name.upper(): value for name, value in read_environment(env_file).items()}
    unknown = sorted(name for name in given if name.startswith(PREFIX) and name not in variables)
    if unknown:
        raise InvalidSettings("\n".join(_unknown(name, list(variables)) for name in unknown))
    try:
        return Settings(_env_file=env_file)
    except ValidationError as error:
        lines = [_invalid(details, variables, given) for details in error.errors()]
    raise InvalidSettings("\n".join(lines))


def describe(settings: Settings, env_file: Path = ENV_FILE) -> list[SettingRow]:
    """Every setting, with what it is and where that was said."""
    from_process = {name.upper() for name, value in os.environ.items() if value}
    from_file = {name.upper() for name, value in _read_file(env_file).items() if value}
    rows = []
    for path, field in _leaves(Settings):
        variable = _variable(path)
        in_file: Literal[".env", "default"] = ".env" if variable in from_file else "default"
        origin = "environment" if variable in from_process else in_file
        rows.append(SettingRow(variable, _shown(settings, path, field), origin))
    return rows


def _read_file(env_file: Path) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(env_file).items() if value is not None}


def _leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, (*path, name))
        else:
            yield (*path, name), field


def _variable(path: tuple[str | int, ...]) -> str:
    return PREFIX + DELIMITER.join(str(part) for part in path).upper()


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _shown(settings: Settings, path: tuple[str, ...], field: FieldInfo) -> str:
    value = functools.reduce(getattr, path, settings)
    if value is None:
        return "-"
    return MASK if _is_secret(field) else mask_credentials(str(value))


def _unknown(name: str, variables: list[str]) -> str:
    close = difflib.get_close_matches(name, variables, n=1)
    hint = f"Did you mean {close[0]}?" if close else "`perdure doctor` lists the settings there are."
    return f"Unknown setting {name}. {hint}"


def _invalid(details: ErrorDetails, variables: dict[str, FieldInfo], given: dict[str, str]) -> str:
    name = _variable(details["loc"])
    secret = name in variables and _is_secret(variables[name])
    said = name if secret or name not in given else f"{name}={mask_credentials(repr(given[name]))}"
    expected = details["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{said} can't be used: expected {expected}."
