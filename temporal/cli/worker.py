"""`perdure worker`: one worker process, until it is told to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from temporal.logs import configure_logging
from temporal.worker import run_worker

if TYPE_CHECKING:
    from temporal.settings import Settings


def work(settings: Settings) -> None:
    """SIGINT and SIGTERM are how it is asked to stop, so they end it well."""
    configure_logging(settings.log)
    asyncio.run(run_worker(settings))
