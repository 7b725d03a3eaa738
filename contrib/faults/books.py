"""What ledger and database hold of one item, read past the program, with plain clients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pymysql
from redis import Redis

_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Row:
    """One order as one store has it."""

    order: str
    buyer: str
    quantity: int
    epoch: int
    seq: int
    state: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Books:
    """Both stores' accounts of one item."""

    total: int
    free: int
    held: int
    paid: int
    ledger: Sequence[Row]
    keys: dict[str, str]
    """Buyer and idempotency key, as the ledger spells them → order id."""
    outbox: int
    database: Sequence[Row]
    item_rows: Sequence[tuple[int, int, int, int]]
    """The database's own rows of the item: epoch, total, held, paid."""
    parked: frozenset[str] = field(default_factory=frozenset)
    """Ids of parked orders."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the books stand: URLs of the servers themselves, not of the taps."""

    redis: str
    database: str

    def read(self, sku: str) -> Books:
        """Everything of one item."""
        with closing(self._redis()) as client:
            item, orders, keys = (client.hgetall(_key(sku, part)) for part in ("item", "orders", "keys"))
            outbox = client.xlen(_key(sku, "outbox"))
        numbers = [int(item.get(name, 0)) for name in ("total", "free", "held", "paid")]
        rows = [_ledger_row(order, json.loads(record), int(item.get("epoch", 0))) for order, record in orders.items()]
        total, free, held, paid = numbers
        database, item_rows = self._rows(sku), self._item_rows(sku)
        return Books(total, free, held, paid, rows, keys, outbox, database, item_rows, self.parked())

    def progress(self, sku: str) -> tuple[int, int, int]:
        """Events in the outbox, orders in the ledger, orders in the database or parked: cheap, for waiting."""
        with closing(self._redis()) as client:
            outbox, orders = client.xlen(_key(sku, "outbox")), client.hlen(_key(sku, "orders"))
        written = self.select("SELECT COUNT(*) FROM seckill_orders WHERE item = %s", sku)[0][0]
        return outbox, orders, written + len([order for order in self.parked() if order.startswith(f"{sku}~")])

    def states(self, sku: str) -> tuple[dict[str, str], dict[str, str]]:
        """State by order, in the ledger and in the database."""
        books = self.read(sku)
        return {row.order: row.state for row in books.ledger}, {row.order: row.state for row in books.database}

    def parked(self) -> frozenset[str]:
        """Ids of the orders whose first event was parked; later ones (a late payment) have a row beside."""
        ids = [str(row[0]) for row in self.select("SELECT message_id FROM seckill_parked")]
        return frozenset(message_id.removesuffix(":1") for message_id in ids if message_id.endswith(":1"))

    def select(self, query: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """The rows of one query."""
        with closing(connect(self.database)) as db, db.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def _redis(self) -> Any:
        return Redis.from_url(self.redis, decode_responses=True, socket_timeout=_WITHIN_S, protocol=2)

    def _rows(self, sku: str) -> list[Row]:
        columns = "order_id, buyer, quantity, epoch, seq, state, accepted_at_ms"
        return [Row(*row) for row in self.select(f"SELECT {columns} FROM seckill_orders WHERE item = %s", sku)]

    def _item_rows(self, sku: str) -> Sequence[tuple[int, int, int, int]]:
        found = self.select("SELECT epoch, total, held, paid FROM seckill_items WHERE item = %s", sku)
        return [(row[0], row[1], row[2], row[3]) for row in found]


def connect(url: str) -> pymysql.Connection[Any]:
    """A connection to ``mysql://user@host:port/name``, each statement of which is its own transaction."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        database=parts.path.lstrip("/"),
        connect_timeout=int(_WITHIN_S),
        read_timeout=_WITHIN_S,
        autocommit=True,
    )


def _key(sku: str, part: str) -> str:
    return f"seckill:{{{sku}}}:{part}"


def _ledger_row(order: str, record: dict[str, Any], epoch: int) -> Row:
    return Row(order, record["buyer"], record["quantity"], epoch, record["seq"], record["state"], record["at"])
