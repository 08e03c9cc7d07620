"""Scripts that use Perdure from Python, as processes of their own."""

from __future__ import annotations

import asyncio
import sys

from tests.acceptance.conftest import Place

SCRIPTS, AT_ONCE = 12, 2
"""With two at once, one in four crashed before `temporal.client` saw to their end."""

SCRIPT = """
import asyncio

from temporal.client import open_agents
from temporal.settings import read_settings


async def main():
    agents = await open_agents(read_settings())
    await asyncio.gather(*(agents.client.count_workflows("") for _ in range(20)))


asyncio.run(main())
"""


async def test_scripts_that_end_right_after_a_call_end_well(place: Place) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def run() -> tuple[int, str]:
        async with free:
            ended = await place.call(sys.executable, "-c", SCRIPT)
        return ended.code, ended.errors

    assert await asyncio.gather(*(run() for _ in range(SCRIPTS))) == [(0, "")] * SCRIPTS
