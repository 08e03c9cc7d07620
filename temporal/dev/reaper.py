"""Ends the servers of a stack whose owner died without stopping them, even by `kill -9`.

Run as a program by `supervisor.py`, with the standard library alone. It leads the process group that all the
children of the stack belong to, so it needs to know none of them.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

GRACE = 4.0  # seconds between asking the servers to end and ending them


def main(lock: Path) -> None:
    """Wait until the owner is gone, then end this process group. The children hold `lock` while they live."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read()  # ends when the owner does: it alone has the other end of this pipe
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while _held(lock) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


def _held(path: Path) -> bool:
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
