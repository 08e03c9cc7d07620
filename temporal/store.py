"""Where Weaviate is: `PERDURE_WEAVIATE__…`, else this checkout's stack, else port 8080."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from activities.weaviate import WeaviateConnection
from temporal.dev.addresses import read_stack

if TYPE_CHECKING:
    from temporal.settings import Settings

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_GRPC_PORT = 50051


def find_store(settings: Settings) -> WeaviateConnection:
    configured = settings.weaviate
    stack = None if configured.url else read_stack(settings.state)
    if stack is not None:
        key = SecretStr(stack.weaviate_api_key) if stack.weaviate_api_key else None
        return WeaviateConnection(
            url=stack.weaviate_http_url,
            grpc_host=stack.weaviate_grpc_host,
            grpc_port=stack.weaviate_grpc_port,
            api_key=key,
        )
    url = configured.url or DEFAULT_URL
    return WeaviateConnection(
        url=url,
        grpc_host=configured.grpc_host or urlsplit(url).hostname or "127.0.0.1",
        grpc_port=configured.grpc_port or DEFAULT_GRPC_PORT,
        api_key=configured.api_key,
    )
