"""A small shop in a SQLite file: orders, and what was paid back for them. Made with its goods when first opened."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_SECONDS = 10

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, article TEXT NOT NULL, cents INTEGER NOT NULL, status TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS refunds (
    key TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders (id), cents INTEGER NOT NULL CHECK (cents > 0)
);
"""

ORDERS = (
    ("A-1001", "kim@example.com", "Desk lamp", 4_900, "delivered on 2 March"),
    ("A-1002", "kim@example.com", "Office chair", 18_900, "on its way, expected on 9 March"),
    ("A-1003", "lee@example.com", "Standing desk", 42_500, "being packed"),
    ("A-1004", "lee@example.com", "Monitor arm", 8_900, "returned on 27 February"),
)


class NoSuchOrder(LookupError):
    pass


class TooMuch(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class Order:
    """`cents` is the price, `refunded` what was paid back so far, both in hundredths of a euro."""

    id: str
    customer: str
    article: str
    cents: int
    status: str
    refunded: int


class Shop:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def order(self, identifier: str) -> Order:
        row = self._connection.execute(
            "SELECT id, customer, article, cents, status,"
            " (SELECT COALESCE(SUM(cents), 0) FROM refunds WHERE order_id = orders.id)"
            " FROM orders WHERE id = ?",
            (identifier.strip().upper(),),
        ).fetchone()
        if row is None:
            raise NoSuchOrder(f"There is no order {identifier!r}. Order numbers look like A-1001.")
        return Order(*row)

    def refund(self, identifier: str, cents: int, *, key: str) -> Order:
        """Pays `cents` back, once for each `key`. Raises `TooMuch` for more than was paid."""
        order = self.order(identifier)
        if self._connection.execute("SELECT 1 FROM refunds WHERE key = ?", (key,)).fetchone():
            return order
        left = order.cents - order.refunded
        if not 0 < cents <= left:
            raise TooMuch(f"{euros(cents)} can't be paid back for order {order.id}: of it, {euros(left)} are left.")
        self._connection.execute("INSERT INTO refunds VALUES (?, ?, ?)", (key, order.id, cents))
        return self.order(order.id)


@contextmanager
def open_shop(file: Path | None = None) -> Iterator[Shop]:
    """The shop in `file`, by default beside the rest of Perdure's state. What the block does is done whole or not at
    all, also beside other processes.
    """
    file = file or Path(os.environ.get("PERDURE_STATE", ".perdure")) / "shop.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.executescript(SCHEMA)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR IGNORE INTO orders VALUES (?, ?, ?, ?, ?)", ORDERS)
        yield Shop(connection)
        connection.execute("COMMIT")
    finally:
        connection.close()


def euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d} EUR"
