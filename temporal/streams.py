"""The transport of events that the settings name. Runs in workers and clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from activities.event_log import EventLog
from temporal.settings import InvalidSettings

if TYPE_CHECKING:
    from activities.publishing import EventTransport
    from temporal.settings import Settings

LOG_NAME = "events.db"


def event_transport(settings: Settings, namespace: str) -> EventTransport:
    """Raises InvalidSettings where the server's client is not installed."""
    stream = settings.stream
    if stream.url is None:
        return EventLog(settings.state / LOG_NAME, keep=stream.keep_seconds, largest=stream.largest)
    try:
        from activities.event_server import EventServer  # noqa: PLC0415 -- the extra may not be installed
    except ModuleNotFoundError:
        raise InvalidSettings(
            "PERDURE_STREAM__URL names a Redis or Valkey server, whose client is missing. "
            "Install it: `pip install 'perdure[redis]'`."
        ) from None
    return EventServer(
        stream.url.get_secret_value(),
        prefix=f"perdure:{namespace}:events:",
        keep=stream.keep_seconds,
        longest=stream.longest,
    )
