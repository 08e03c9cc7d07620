"""The command line, `perdure`. Begin with `commands.py`."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point. What a terminal can't encode is replaced, never an error."""
    from temporal.cli.commands import app  # noqa: PLC0415 -- the package itself stays quick to import

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()
