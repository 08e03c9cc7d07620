"""Where a stack's servers are, and the file by which other processes find them while it lives."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from temporal.dev.lock import is_alive, is_held

FILE_NAME = "stack.json"


class StackAddresses(BaseModel):
    """All that a client needs. `weaviate_log` is None where Weaviate is not ours."""

    model_config = ConfigDict(frozen=True)

    owner_pid: int
    state: Path
    temporal_address: str
    namespace: str
    ui_url: str
    temporal_log: Path
    weaviate_http_url: str
    weaviate_grpc_host: str
    weaviate_grpc_port: int
    weaviate_api_key: str | None = Field(repr=False)
    weaviate_log: Path | None


@contextmanager
def published(addresses: StackAddresses) -> Iterator[None]:
    """Keep `stack.json`, which holds the API key, in the state folder for this user alone to read."""
    file = addresses.state / FILE_NAME
    write_private(file, addresses.model_dump_json(indent=2))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def read_stack(state: Path) -> StackAddresses | None:
    """Find the stack that lives in `state`; None where there is none, or its owner died."""
    try:
        addresses = StackAddresses.model_validate_json((state / FILE_NAME).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return addresses if is_alive(addresses.owner_pid) and is_held(state) else None


def write_private(file: Path, text: str) -> None:
    """Write it whole or not at all, with mode 0600 from the start."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
    fresh.replace(file)
