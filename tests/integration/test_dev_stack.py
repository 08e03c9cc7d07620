"""The embedded stack with its real servers: how it starts, stops, and what is left when its owner is killed."""

import asyncio
import os
import signal
import sys

import grpc
import httpx
import pytest
import weaviate
from temporalio.client import Client
from weaviate.classes.init import Auth

from temporal.dev.addresses import read_stack
from temporal.dev.errors import PortInUseError, StateInUseError
from temporal.dev.lock import is_held
from temporal.dev.stack import FixedPorts, open_stack

OWNER = """
import asyncio, pathlib, sys
from temporal.dev.stack import open_stack

async def main():
    async with open_stack(pathlib.Path(sys.argv[1])) as stack:
        print("open", flush=True)
        await stack.crashed()

asyncio.run(main())
"""


async def test_temporal_answers_in_its_namespace(stack):
    client = await Client.connect(stack.addresses.temporal_address, namespace=stack.addresses.namespace)

    assert await client.service_client.check_health()


async def test_the_web_ui_shows_that_server(stack):
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{stack.addresses.ui_url}/api/v1/namespaces/{stack.addresses.namespace}")

    assert answer.json()["namespaceInfo"]["name"] == stack.addresses.namespace


async def test_weaviate_answers_whoever_has_the_key(stack):
    async with connect(stack) as client:
        assert await client.is_ready()
        assert not await client.collections.exists("Unknown")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer another"}])
async def test_weaviate_refuses_whoever_has_no_key_or_another(stack, headers):
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{stack.addresses.weaviate_http_url}/v1/schema", headers=headers)

    assert answer.status_code == httpx.codes.UNAUTHORIZED


async def test_weaviates_grpc_port_refuses_them_too(stack):
    address = f"{stack.addresses.weaviate_grpc_host}:{stack.addresses.weaviate_grpc_port}"

    async with grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="unauthorized"):
            await channel.unary_unary("/weaviate.v1.Weaviate/Search")(b"")


async def test_other_processes_find_the_stack_by_its_state_folder(stack):
    assert read_stack(stack.addresses.state) == stack.addresses


async def test_a_second_stack_over_the_same_state_folder_is_refused(stack):
    with pytest.raises(StateInUseError, match=f"held by process {os.getpid()}"):
        async with open_stack(stack.addresses.state):
            pass


async def test_a_killed_server_is_reported_and_the_others_still_stop(tmp_path):
    async with open_stack(tmp_path) as stack:
        victim = next(child for child in stack.supervisor.children if child.command.name == "Weaviate")
        os.kill(victim.pid, signal.SIGKILL)
        crash = await stack.crashed()

    assert f"Weaviate (pid {victim.pid}) was killed by SIGKILL" in str(crash)
    assert str(stack.addresses.weaviate_log) in str(crash)
    assert all(child.exit_code is not None for child in stack.supervisor.children)


async def test_a_web_ui_port_that_is_taken_is_refused_before_anything_is_left_running(tmp_path, stack):
    taken = int(stack.addresses.ui_url.rpartition(":")[2])

    with pytest.raises(PortInUseError, match=rf"Port {taken} for Temporal's web UI is taken by 'temporal' \(pid"):
        async with open_stack(tmp_path, ports=FixedPorts(ui=taken)):
            pass

    assert not is_held(tmp_path)


async def test_a_killed_owner_leaves_no_server_and_its_state_folder_opens_again(tmp_path):
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OWNER, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"open\n"

    owner.kill()
    await owner.wait()

    assert read_stack(tmp_path) is None
    async with asyncio.timeout(60):
        while is_held(tmp_path):
            await asyncio.sleep(0.05)
    async with open_stack(tmp_path) as stack:
        assert read_stack(tmp_path) == stack.addresses


def connect(stack):
    addresses = stack.addresses
    http = httpx.URL(addresses.weaviate_http_url)
    return weaviate.use_async_with_custom(
        http_host=http.host,
        http_port=http.port,
        http_secure=False,
        grpc_host=addresses.weaviate_grpc_host,
        grpc_port=addresses.weaviate_grpc_port,
        grpc_secure=False,
        auth_credentials=Auth.api_key(addresses.weaviate_api_key),
    )
