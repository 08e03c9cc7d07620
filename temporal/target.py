"""Where the Temporal server is: `TEMPORAL_…` variables and profiles, else this checkout's stack, else port 7233."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from temporalio.envconfig import ClientConfigProfile

from temporal.dev.addresses import read_stack
from temporal.settings import InvalidSettings
from temporal.storage import StorageLocation, find_storage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from temporal.settings import Settings

DEFAULT_ADDRESS = "localhost:7233"
CLOUD_HOSTS = (".tmprl.cloud", ".api.temporal.io")
CLOUD_UI = "https://cloud.temporal.io"


@dataclass(frozen=True, slots=True)
class Target:
    """A server, a namespace, and where their large payloads are kept.

    `origin` says where the address was found, `options` are the client's: TLS, key.
    """

    address: str
    namespace: str
    origin: str
    ui_url: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    storage: StorageLocation | None = None

    def url_of(self, run: str, execution: str | None = None) -> str | None:
        """The page of a run in the web UI, where the UI is known."""
        if self.ui_url is None:
            return None
        page = f"{self.ui_url}/namespaces/{quote(self.namespace, safe='')}/workflows/{quote(run, safe='')}"
        return f"{page}/{execution}/history" if execution else page


def find_target(settings: Settings, environ: Mapping[str, str]) -> Target:
    """Raises InvalidSettings where a profile or a certificate can't be read."""
    profile = _profile(environ)
    options = _options(profile)
    stack = None if profile.address else read_stack(settings.state)
    if stack is not None:
        namespace = profile.namespace or stack.namespace
        origin = f"the stack in {str(settings.state)!r}"
        storage = find_storage(settings, stack.temporal_address, environ)
        return Target(stack.temporal_address, namespace, origin, settings.ui_url or stack.ui_url, options, storage)
    address = profile.address or DEFAULT_ADDRESS
    namespace = profile.namespace or "default"
    storage = find_storage(settings, address, environ)
    ui_url = settings.ui_url or _cloud_ui(address)
    return Target(address, namespace, _origin(profile, environ), ui_url, options, storage)


def _profile(environ: Mapping[str, str]) -> ClientConfigProfile:
    """An empty variable counts as unset, as it does for Perdure's own."""
    try:
        return ClientConfigProfile.load(override_env_vars={name: value for name, value in environ.items() if value})
    except (RuntimeError, OSError) as error:
        raise InvalidSettings(
            f"Temporal's own settings can't be read: {error}. Check TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE and the "
            "file they name."
        ) from None


def _options(profile: ClientConfigProfile) -> dict[str, Any]:
    try:
        options: dict[str, Any] = {**profile.to_client_connect_config()}
    except OSError as error:
        raise InvalidSettings(
            f"A certificate for Temporal can't be read: {error}. Check the TEMPORAL_TLS_… variables."
        ) from None
    return {name: value for name, value in options.items() if name not in ("target_host", "namespace")}


def _origin(profile: ClientConfigProfile, environ: Mapping[str, str]) -> str:
    if environ.get("TEMPORAL_ADDRESS"):
        return "TEMPORAL_ADDRESS"
    if profile.address:
        return f"Temporal's profile {environ.get('TEMPORAL_PROFILE') or 'default'!r}"
    return "the default address"


def _cloud_ui(address: str) -> str | None:
    host = address.rsplit(":", 1)[0]
    return CLOUD_UI if host.endswith(CLOUD_HOSTS) else None
