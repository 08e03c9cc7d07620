"""`perdure storage`: what is kept of large payloads, and removing what nobody needs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.filesize import decimal

from agents.errors import InvalidInput
from temporal.client import connect
from temporal.garbage import collect, usage
from temporal.settings import read_environment
from temporal.target import find_target

if TYPE_CHECKING:
    from temporal.blobs import Blobs
    from temporal.garbage import Amount
    from temporal.settings import Settings
    from temporal.target import Target

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_age(text: str) -> timedelta:
    """`30d`, `12h`, `90m`, `0s`."""
    if (found := re.fullmatch(r"(\d{1,6})([smhd])", text)) is None:
        raise InvalidInput(f"{text!r} is no age. Write a number and a unit: 30d, 12h, 90m, 45s.")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


async def show_usage(settings: Settings) -> None:
    target = find_target(settings, read_environment())
    blobs = _opened(target)
    said(f"{blobs.place} holds {amount(await usage(blobs, target.namespace))} in namespace {target.namespace!r}.")


async def collect_garbage(
    settings: Settings, *, dry_run: bool, closed_for: timedelta | None, fresh: timedelta, force: bool
) -> None:
    target = find_target(settings, read_environment())
    blobs, client = _opened(target), await connect(target)
    done = await collect(blobs, client, dry_run=dry_run, closed_for=closed_for, fresh=fresh, force=force)
    said(f"{'Would remove' if dry_run else 'Removed'} {amount(done.removed)}. Kept {amount(done.kept)}.")


def amount(counted: Amount) -> str:
    if not counted.objects:
        return "nothing"
    objects = f"{counted.objects:,} object{'s' * (counted.objects != 1)}"
    workflows = f"{counted.workflows:,} workflow{'s' * (counted.workflows != 1)}"
    return f"{objects} of {workflows}, {decimal(counted.size)}"


def said(text: str) -> None:
    Console(highlight=False).print(text, markup=False, soft_wrap=True)


def _opened(target: Target) -> Blobs:
    if target.storage is None:
        raise InvalidInput("No storage is set, and large payloads are refused. PERDURE_STORAGE__URL names one.")
    return target.storage.open()
