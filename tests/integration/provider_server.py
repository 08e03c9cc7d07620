"""A model provider on loopback that speaks OpenAI's chat completions, so that the vendor's real client is tested."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

MODEL = "test-model"


@dataclass(frozen=True)
class Reply:
    """What one request is answered. `tool_calls` are pairs of a name and its arguments. A `{marker}` in the text
    stands for the first marker, `[a3f9c2]`, of the passages that the request has.

    `held` answers nothing until the server closes; `broken` cuts the connection in the middle of the stream, and
    `stalled` says no more from there on until the server closes; `late_error` is an error that comes after the stream
    has begun.
    """

    text: str = "Hello there."
    tool_calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=lambda: {"message": "no", "type": "error", "code": None})
    late_error: dict[str, Any] | None = None
    held: bool = False
    broken: bool = False
    stalled: bool = False
    input_tokens: int = 11
    output_tokens: int = 5

    @property
    def usage(self) -> dict[str, int]:
        total = self.input_tokens + self.output_tokens
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": total,
        }


@dataclass
class Provider:
    """`replies` are used up one a request; then every request gets a plain one. `requests` are the bodies received."""

    url: str
    replies: deque[Reply] = field(default_factory=deque)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def model(self) -> str:
        """The name under which Perdure knows it."""
        return f"{self.url}#{MODEL}"

    def will_reply(self, *replies: Reply) -> Self:
        self.replies.extend(replies)
        return self


@contextmanager
def serve_provider() -> Iterator[Provider]:
    """Serves in a thread of its own until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    provider = _Handler.providers[server.server_port] = Provider(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        provider.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
        del _Handler.providers[server.server_port]


class _Handler(BaseHTTPRequestHandler):
    providers: dict[int, Provider] = {}  # noqa: RUF012 -- the handler is made by the server, once a connection
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, ThreadingHTTPServer)
        provider = self.providers[self.server.server_port]
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        provider.requests.append(request)
        provider.keys.append(self.headers["authorization"])
        reply = _citing(provider.replies.popleft() if provider.replies else Reply(), request)
        self.close_connection = True  # a client that is dropped without being closed then leaves nothing open
        if reply.held:
            provider.closing.wait()
        elif reply.status != 200:
            self._send({"error": reply.error}, reply.status, reply.headers)
        elif request.get("stream"):
            with_usage = bool((request.get("stream_options") or {}).get("include_usage"))
            self._stream(reply, provider.closing, with_usage=with_usage)
        else:
            self._send(_completion(reply), 200, reply.headers)

    def _send(self, body: dict[str, Any], status: int, headers: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        standard = {"content-type": "application/json", "content-length": str(len(data)), "connection": "close"}
        for name, value in {**standard, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, reply: Reply, closing: threading.Event, *, with_usage: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("connection", "close")
        self.end_headers()
        pieces = list(_pieces(reply))
        for piece in pieces[: len(pieces) // 2] if reply.broken or reply.stalled else pieces:
            self._event(json.dumps(_chunk([piece])))
        if reply.stalled:
            closing.wait()
            return
        if reply.broken:
            return
        if reply.late_error:
            self._event(json.dumps({"error": reply.late_error}))
        if with_usage:
            self._event(json.dumps({**_chunk([]), "usage": reply.usage}))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: str) -> None:
        line = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the library's name
        """Says nothing."""


def _citing(reply: Reply, request: dict[str, Any]) -> Reply:
    shown = " ".join(str(message["content"]) for message in request["messages"] if message["role"] == "tool")
    marker = re.search(r"\[[0-9a-f]{6}\]", shown)
    return replace(reply, text=reply.text.replace("{marker}", marker.group() if marker else ""))


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "index": number,
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(reply.tool_calls)
    ]


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else "stop"


def _completion(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.tool_calls:
        message["tool_calls"] = _calls(reply)
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(reply)}],
        "usage": reply.usage,
    }


def _pieces(reply: Reply) -> Iterator[dict[str, Any]]:
    yield {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    for word in reply.text.split(" "):
        yield {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}
    for call in _calls(reply):
        yield {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
    yield {"index": 0, "delta": {}, "finish_reason": _finish(reply)}


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": choices}
