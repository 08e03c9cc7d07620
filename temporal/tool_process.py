"""The composition root of the processes that tools run in: `main` is what a worker starts."""

from __future__ import annotations

import socket
from typing import NoReturn

from activities.nursery import tend
from activities.servant import serve
from temporal.logs import configure_logging
from temporal.settings import read_settings


def main(control: int) -> NoReturn:
    """`control` is the number of the socket that the worker holds the other end of."""
    configure_logging(read_settings().log)
    tend(socket.socket(fileno=control), serve)
