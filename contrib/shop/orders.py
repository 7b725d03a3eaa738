"""The shop's own orders table, as old shops have it: one file, one lock around every write."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shop.signature import SignedPurchase

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY,
    item     TEXT NOT NULL,
    buyer    TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    arrivals INTEGER NOT NULL DEFAULT 1
)
"""
# The sidecar sends an order again when its buyer sends the same purchase again: take note of it once.
_RECORD = """
INSERT INTO orders (order_id, item, buyer, quantity) VALUES (?, ?, ?, ?)
ON CONFLICT (order_id) DO UPDATE SET arrivals = arrivals + 1
"""
_NEWEST = "SELECT order_id, item, buyer, quantity FROM orders ORDER BY rowid DESC LIMIT ?"


class Orders:
    """Orders in the SQLite file at ``path``, which is made if it isn't there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._open() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(_SCHEMA)

    def record(self, purchase: SignedPurchase) -> None:
        """Take note of an order; of the same order again, only that it came again."""
        row = (purchase.order, purchase.item, purchase.buyer, purchase.quantity)
        with self._lock, self._open() as db:
            db.execute(_RECORD, row)

    def newest(self, most: int) -> list[SignedPurchase]:
        """The last orders, newest first."""
        with self._open() as db:
            return [SignedPurchase(*row) for row in db.execute(_NEWEST, (most,))]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10)) as db, db:
            db.execute("PRAGMA synchronous = NORMAL")
            yield db
