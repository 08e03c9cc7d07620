"""Expected errors end a command with a line or two on stderr and an exit code, never with a traceback.

0 done, 1 a run failed or something is not there, 2 the caller's mistake, 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


class Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            if (code := report(error)) is None:
                raise
            raise typer.Exit(code) from None


def report(error: Exception) -> int | None:
    """Tells the user about `error` and gives the exit code; None where it is none of ours."""
    if "agents.errors" not in sys.modules:
        return None
    from agents.errors import InvalidInput, PerdureError, UnknownAgent
    from temporal.client import UnknownRun
    from temporal.dev.errors import StackError
    from temporal.outcome import RunFailed
    from temporal.settings import InvalidSettings

    match error:
        case RunFailed():
            say(str(error))
            say(error.remedy)
            return MISUSED if error.is_callers_mistake else FAILED
        case InvalidInput() | InvalidSettings() | UnknownAgent() | UnknownRun():
            say(str(error))
            return MISUSED
        case PerdureError() | StackError():
            say(str(error))
            return FAILED
        case _:
            return None


def say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 -- a command's words to its user
