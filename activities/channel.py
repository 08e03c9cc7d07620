"""What a worker and the processes of its tools say to each other: frames of JSON over a socket, as data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from temporalio import activity
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import DefaultFailureConverter
from temporalio.exceptions import ApplicationError

from activities.failures import last_frames, translate
from activities.store import StoreRequest, StoreResponse
from activities.tool import ToolRequest, ToolResponse

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH = 8
"""Bytes before each frame that say how long it is."""

INFO = TypeAdapter(activity.Info)

_PAYLOADS = PydanticPayloadConverter()
_FAILURES = DefaultFailureConverter()


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class Ready(_Message):
    """A process's first word, and its answer to `Load`."""

    kind: Literal["ready"] = "ready"
    pid: int


class Load(_Message):
    """The process shall have an agent ready before it is called: that may take seconds."""

    kind: Literal["load"] = "load"
    agent: str


class Call(_Message):
    """`agent` is where the agent is found: `orders:agent`. `bound` is what the log's records are about."""

    kind: Literal["call"] = "call"
    agent: str
    request: ToolRequest
    info: dict[str, Any]
    bound: dict[str, Any] = {}


class Asked(_Message):
    """The body uses the store, which is the worker's."""

    kind: Literal["asked"] = "asked"
    request: StoreRequest


class Stored(_Message):
    kind: Literal["stored"] = "stored"
    response: StoreResponse


class Beat(_Message):
    """The body reports something by a heartbeat."""

    kind: Literal["beat"] = "beat"
    details: list[Any]


class Wrote(_Message):
    """The body gave `value` to its stream writer, for those who watch; the workflow gets it with the response."""

    kind: Literal["wrote"] = "wrote"
    value: Any


class Where(_Message):
    """The worker wants to know what the body is doing, and is told in `place`."""

    kind: Literal["where"] = "where"
    place: str = ""


class Done(_Message):
    kind: Literal["done"] = "done"
    response: ToolResponse


class Failed(_Message):
    """`failure` is Temporal's own: it keeps the type, the fate and the traceback."""

    kind: Literal["failed"] = "failed"
    failure: bytes

    @classmethod
    def by(cls, error: BaseException) -> Failed:
        failure = Failure()
        told = translate(error)
        try:
            _FAILURES.to_failure(told.with_traceback(last_frames(error.__traceback__)), _PAYLOADS, failure)
        except Exception:  # noqa: BLE001 -- details of its own, say, that are no data
            said = told.message.encode("ascii", "backslashreplace").decode()
            short = ApplicationError(said, type=told.type, non_retryable=told.non_retryable)
            _FAILURES.to_failure(short, _PAYLOADS, failure)
        return cls(failure=failure.SerializeToString())

    def error(self) -> BaseException:
        return _FAILURES.from_failure(Failure.FromString(self.failure), _PAYLOADS)


Message = Annotated[
    Ready | Load | Call | Asked | Stored | Beat | Wrote | Where | Done | Failed, Field(discriminator="kind")
]
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Message)


def framed(message: Message) -> bytes:
    data = message.model_dump_json().encode()
    return len(data).to_bytes(LENGTH) + data


def unframed(data: bytes) -> Message:
    return _MESSAGES.validate_json(data)


def read(receive: Callable[[int], bytes]) -> Message:
    """The next message. Raises `EOFError` where the other side is gone."""
    return unframed(_exactly(receive, int.from_bytes(_exactly(receive, LENGTH))))


def _exactly(receive: Callable[[int], bytes], size: int) -> bytes:
    data = receive(size)
    if len(data) < size:
        raise EOFError
    return data
