"""Weaviate as a child on loopback, or a Weaviate that somebody else runs."""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from temporal.dev.addresses import write_private
from temporal.dev.errors import NotReadyError
from temporal.dev.health import answers
from temporal.dev.ports import LOOPBACK, free_ports, require_free, with_fresh_ports
from temporal.dev.process import Command
from temporal.dev.supervisor import Supervisor

_NODE = "node1"  # the raft identity: a changed name makes a restart hang
_USER = "perdure"


@dataclass(frozen=True, kw_only=True)
class Weaviate:
    """A Weaviate to connect to. `log` is None where it is not ours."""

    http_url: str
    grpc_host: str
    grpc_port: int
    api_key: str | None = field(repr=False)
    log: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What one server listens on.

    On localhost it takes for granted that data is gossip plus one, and raft's RPC is raft plus one: otherwise
    it waits for itself for ever.
    """

    gossip: int
    data: int
    raft: int
    raft_rpc: int
    http: int
    grpc: int


async def start_weaviate(supervisor: Supervisor, state: Path, binary: Path, *, port: int | None) -> Weaviate:
    """Start it with its data in `state`, open to the state folder's API key alone."""
    key = api_key(state)

    async def attempt() -> Weaviate:
        ports = _pick_ports(port)
        command = _command(binary, ports, state, key)
        server = Weaviate(
            http_url=f"http://{LOOPBACK}:{ports.http}",
            grpc_host=LOOPBACK,
            grpc_port=ports.grpc,
            api_key=key,
            log=command.log,
        )
        await supervisor.start(command, ready=lambda: _is_ready(server), within=120)
        return server

    return await with_fresh_ports(attempt)


async def require_ready(server: Weaviate) -> Weaviate:
    """Check a Weaviate that is not ours."""
    if not await _is_ready(server):
        raise NotReadyError(
            f"Weaviate at {server.http_url!r} does not say that it is ready. Check the URL and that server, "
            "or leave the URL out to have one started here."
        )
    return server


async def _is_ready(server: Weaviate) -> bool:
    return await answers(f"{server.http_url.rstrip('/')}/v1/.well-known/ready")


def api_key(state: Path) -> str:
    """Return the state folder's key, made at the first start and kept for this user alone to read."""
    file = state / "weaviate.key"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32))
    return file.read_text()


def _pick_ports(port: int | None) -> Ports:
    gossip, data, raft, raft_rpc, http, grpc = free_ports(6, consecutive=4)
    if port is not None:
        require_free(port, purpose="Weaviate")
    return Ports(gossip=gossip, data=data, raft=raft, raft_rpc=raft_rpc, http=port or http, grpc=grpc)


def _command(binary: Path, ports: Ports, state: Path, key: str) -> Command:
    listen = ("--scheme=http", f"--host={LOOPBACK}", f"--port={ports.http}")
    patience = ("--read-timeout=600s", "--write-timeout=600s")
    return Command(
        name="Weaviate",
        arguments=(str(binary), *listen, *patience),
        environment=environment(ports, data=state / "weaviate", key=key),
        log=state / "logs" / "weaviate.log",
    )


def environment(ports: Ports, *, data: Path, key: str) -> dict[str, str]:
    """All that the server is told; nothing of this process's environment, where other keys may be."""
    return {
        "PATH": os.defpath,
        "HOME": str(Path.home()),
        "PERSISTENCE_DATA_PATH": str(data / "data"),
        "ENABLE_MODULES": "backup-filesystem",
        "BACKUP_FILESYSTEM_PATH": str(data / "backups"),
        "GRPC_PORT": str(ports.grpc),
        **_one_node(ports),
        **_access(key),
        **_behaviour(),
    }


def _one_node(ports: Ports) -> dict[str, str]:
    """A cluster of one, on loopback. The raft timeouts of a real cluster would cost five seconds a start."""
    return {
        "CLUSTER_HOSTNAME": _NODE,
        "CLUSTER_IN_LOCALHOST": "true",
        "CLUSTER_BIND_ADDR": LOOPBACK,
        "CLUSTER_ADVERTISE_ADDR": LOOPBACK,
        "CLUSTER_GOSSIP_BIND_PORT": str(ports.gossip),
        "CLUSTER_DATA_BIND_PORT": str(ports.data),
        "RAFT_PORT": str(ports.raft),
        "RAFT_INTERNAL_RPC_PORT": str(ports.raft_rpc),
        "RAFT_BOOTSTRAP_EXPECT": "1",
        "RAFT_JOIN": f"{_NODE}:{ports.raft}",
        "RAFT_TIMEOUTS_MULTIPLIER": "1",
    }


def _access(key: str) -> dict[str, str]:
    """Keys everywhere: the gRPC and cluster ports listen on every interface whatever `--host` says."""
    return {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": key,
        "AUTHENTICATION_APIKEY_USERS": _USER,
        "AUTHENTICATION_DB_USERS_ENABLED": "true",
        "AUTHORIZATION_RBAC_ENABLED": "true",
        "AUTHORIZATION_RBAC_ROOT_USERS": _USER,
        "CLUSTER_BASIC_AUTH_USERNAME": _USER,
        "CLUSTER_BASIC_AUTH_PASSWORD": secrets.token_urlsafe(32),
    }


def _behaviour() -> dict[str, str]:
    return {
        "AUTOSCHEMA_ENABLED": "false",
        "DEFAULT_VECTORIZER_MODULE": "none",
        "DISABLE_TELEMETRY": "true",
        "GO_PROFILING_DISABLE": "true",
        "LOG_LEVEL": "warning",
        # 1.35's BM25 overlooks objects that were just written unless these are so from the first start.
        "USE_INVERTED_SEARCHABLE": "false",
        "PERSISTENCE_MEMTABLES_FLUSH_DIRTY_AFTER_SECONDS": "5",
        # By default a disk that is nine tenths full, as a developer's may well be, makes it read-only.
        "DISK_USE_READONLY_PERCENTAGE": "99",
    }
