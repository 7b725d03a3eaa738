"""Reads the accounts of a sale, each from its own source and past the program that wrote it where that can be."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from demo.books import LedgerPage, Row
from demo.plan import SKU
from seckill_sidecar.adapters.ledger import RedisLedger, connect_ledger
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.settings.schema import Settings, Stores

ORDERS = "SELECT order_id, item, buyer, quantity FROM seckill_orders"
PARKED = "SELECT message_id FROM seckill_parked"
SHOP_ORDERS = "SELECT order_id, item, buyer, quantity FROM orders"

READ_WITHIN_S = 10.0

Select = Callable[[str], Sequence[tuple[Any, ...]]]
"""Runs one query and returns its rows."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Where the three accounts stand that buyers don't see."""

    redis: str
    """URL of the ledger's server."""
    database: Select
    shop: Select

    def ledger_page(self) -> LedgerPage:
        """The item and its orders as the ledger has them."""
        with closing(self._ledger()) as ledger:
            item = ledger.item(SKU, _soon())
            orders = [Row(order.id, order.item, order.buyer, order.quantity) for order in ledger.orders(SKU)]
        return LedgerPage(orders, item.total if item else 0, item.free if item else 0)

    def outbox_is_empty(self) -> bool:
        """Whether every event of the sale was handed off."""
        with closing(self._ledger()) as ledger:
            return not ledger.outbox(SKU, 0.0, 1, _soon())

    def database_rows(self) -> list[Row]:
        """All rows of the orders table."""
        return [Row(*row) for row in self.database(ORDERS)]

    def parked_orders(self) -> frozenset[str]:
        """Ids of the orders whose events were set aside."""
        return frozenset(str(row[0]).rpartition(":")[0] for row in self.database(PARKED))

    def shop_rows(self) -> list[Row]:
        """All rows of the shop's own orders table."""
        return [Row(*row) for row in self.shop(SHOP_ORDERS)]

    def _ledger(self) -> RedisLedger:
        return connect_ledger(Settings(stores=Stores(redis=self.redis)), SystemClock())


def sqlite_file(path: Path) -> Select:
    """Queries of a SQLite file, which is opened for reading only."""

    def select(query: str) -> Sequence[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=READ_WITHIN_S)) as db:
            return db.execute(query).fetchall()

    return select


def mysql_database(url: str) -> Select:
    """Queries of the MySQL database at ``mysql://user:password@host:port/name``."""
    parts = urlsplit(url)

    def select(query: str) -> Sequence[tuple[Any, ...]]:
        db = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=parts.path.lstrip("/"),
            connect_timeout=int(READ_WITHIN_S),
            read_timeout=READ_WITHIN_S,
        )
        with closing(db), db.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    return select


def _soon() -> Deadline:
    return Deadline.after(READ_WITHIN_S, SystemClock())
