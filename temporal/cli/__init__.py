"""The command line, `perdure`. Begin with `commands.py`."""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn


def main() -> NoReturn:
    """The entry point. What a terminal can't encode is replaced, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    _leave(_run())


def _run() -> int:
    from temporal.cli.commands import app  # noqa: PLC0415 -- the package itself stays quick to import

    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except BaseException:  # noqa: BLE001 -- what nobody expected is shown, and ends the process as below
        traceback.print_exc()
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """Without the interpreter's shutdown, in which Temporal's threads crash now and then. All is closed by now."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # whoever read our output is gone
            code = code or 1
    os._exit(code)
