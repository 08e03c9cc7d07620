"""What tools and nodes have done, as they note it themselves, in a file. Written in all processes of a pass."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from temporalio import activity

LEDGER = "CHAOS_LEDGER"
"""The variable that names the file."""

What = Literal["began", "ended", "looked up", "undone"]


@dataclass(frozen=True, slots=True)
class Entry:
    """`who` is a tool or a node, `text` the mode of the call, or what was found."""

    what: What
    who: str
    key: str
    text: str
    run: str
    attempt: int
    pid: int
    time: float


def note(what: What, who: str, key: str = "", text: str = "") -> None:
    info = activity.info()
    entry = Entry(what, who, key, text, info.workflow_id or "", info.attempt, os.getpid(), time.time())
    file = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, f"{json.dumps(asdict(entry))}\n".encode())
    finally:
        os.close(file)


def read() -> list[Entry]:
    file = Path(os.environ[LEDGER])
    return [Entry(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
