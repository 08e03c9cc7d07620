"""The server that all contestants share: Temporal's dev server as `perdure dev` runs it, without Weaviate."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

from temporal.client import connect
from temporal.dev.dev_server import DYNAMIC_CONFIG, start_dev_server
from temporal.dev.lock import LOCK_NAME, hold_state
from temporal.dev.supervisor import Supervisor
from temporal.target import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from temporalio.client import Client

UNSUGGESTED = {
    "limit.historyCount.suggestContinueAsNew": "1000000",
    "limit.historySize.suggestContinueAsNew": "1000000000",
}
"""With these the server never suggests to continue as new. What ends a workflow stays as it is."""

CPU_FIELDS = slice(11, 13)
"""User and system time in clock ticks, among the fields of /proc/PID/stat that follow the program's name."""


@dataclass(frozen=True)
class Server:
    address: str
    version: str
    client: Client
    pid: int

    def cpu(self) -> float | None:
        """Seconds of CPU time that it has used; None on systems without /proc."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return None
        return sum(map(int, fields[CPU_FIELDS])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def open_server(state: Path, *, suggests: bool = True) -> AsyncIterator[Server]:
    """`suggests` says whether long workflows are told to continue as new."""
    config = DYNAMIC_CONFIG if suggests else DYNAMIC_CONFIG | UNSUGGESTED
    async with hold_state(state) as lock, Supervisor(lock, state / LOCK_NAME) as supervisor:
        started = await start_dev_server(
            supervisor, state, namespace="default", port=None, ui_port=None, dynamic_config=config
        )
        client = await connect(Target(started.address, "default", "the benchmark"))
        system = await client.workflow_service.get_system_info(GetSystemInfoRequest())
        yield Server(started.address, system.server_version, client, supervisor.children[-1].pid)
