"""An S3-compatible server on loopback: `rclone serve s3`, which checks signatures and takes multipart uploads."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporal.dev.ports import free_ports

RCLONE = Path(sys.executable).with_name("rclone")
KEY, SECRET = "perdure-tests", "the-secret-of-the-tests"
PATIENCE = 30.0
"""Seconds. A deadline; it starts in a tenth of one."""


@asynccontextmanager
async def s3_server(folder: Path, bucket: str) -> AsyncIterator[dict[str, str]]:
    """The variables by which a client finds it. What is stored is in `folder`."""
    (folder / bucket).mkdir(parents=True)
    [port] = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *(RCLONE, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--config", os.devnull, folder),
        env={**os.environ, "RCLONE_AUTH_KEY": f'"{KEY},{SECRET}"', "RCLONE_LOG_FILE": str(folder / "log")},
    )
    try:
        async with asyncio.timeout(PATIENCE):
            await _answers(port)
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
