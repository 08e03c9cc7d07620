"""Probes: whether a server answers. They never raise and never wait long."""

from datetime import timedelta

import httpx
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

_PATIENCE = 2.0  # seconds for one answer


async def answers(url: str) -> bool:
    """Whether an HTTP GET of `url` succeeds. Proxies of the environment are not asked."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as client:
            return (await client.get(url, follow_redirects=True)).is_success
    except httpx.HTTPError:
        return False


async def serves_namespace(client: Client) -> bool:
    """Whether the Temporal server of a lazy `client` knows the client's namespace."""
    try:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace),
            timeout=timedelta(seconds=_PATIENCE),
        )
    except (RPCError, RuntimeError):  # a lazy client that cannot connect raises the latter
        return False
    return True
