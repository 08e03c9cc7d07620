"""`perdure worker`: one worker process, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from temporal.cli.errors import report
from temporal.telemetry import configure_logging
from temporal.worker import run_worker

if TYPE_CHECKING:
    from temporal.settings import Settings


def work(settings: Settings) -> NoReturn:
    configure_logging(settings.log)
    code = 0
    try:
        asyncio.run(run_worker(settings))
    except KeyboardInterrupt:
        code = 0
    except Exception as error:
        known = report(error)
        if known is None:
            raise
        code = known
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Without the interpreter's shutdown, in which Temporal's threads crash now and then. All is closed by now."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
