"""A pass of `make chaos` that is over before anything befalls its workers."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process

PATIENCE = 240.0


async def begun(*options: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", *options), stdout=PIPE, stderr=STDOUT
    )


async def test_a_pass_says_how_its_runs_ended_and_what_promise_was_broken() -> None:
    process = await begun("--seed", "56", "--runs", "1", "--seconds", "1")
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()

    assert "0 violations." in said.decode()
    assert 'The same again: make chaos ARGS="--seed 56 --runs 1' in said.decode()
    assert process.returncode == 0


async def test_ctrl_c_ends_a_pass_and_all_that_it_has_started() -> None:
    process = await begun("--seed", "10", "--runs", "50")
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE):
        await process.stdout.read()  # whose other end its children have

    assert await process.wait() == 130
