"""Words for tests of the orders database: events, and a look at the tables that owes nothing to the adapter."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pymysql
from stack import MariaDB

from seckill_sidecar.clock import ManualClock, order_ids
from seckill_sidecar.model import Event, EventKind, Order

SKU = "sku-1"
_make_id = order_ids(ManualClock(), random.Random(7))


def accepted(seq: int = 1, buyer: str = "ann", quantity: int = 1, total: int = 100, item: str = SKU) -> Event:
    """An order that a gate accepted."""
    kind = EventKind.ACCEPTED
    order = Order(
        id=_make_id(item),
        item=item,
        epoch=1,
        seq=seq,
        buyer=buyer,
        quantity=quantity,
        state=kind.state,
        accepted_at_ms=1_700_000_000_000 + seq,
        due_at_ms=1_700_000_900_000 + seq,
    )
    return Event(kind=kind, no=1, order=order, total=total, at_ms=order.accepted_at_ms)


def settled(event: Event, kind: EventKind, reason: str = "") -> Event:
    """The next step of an order."""
    order = replace(event.order, state=kind.state)
    return replace(event, kind=kind, no=event.no + 1, order=order, at_ms=event.at_ms + 5, reason=reason)


def paid(event: Event) -> Event:
    return settled(event, EventKind.PAID, "card")


def cancelled(event: Event) -> Event:
    return settled(event, EventKind.CANCELLED, "changed my mind")


def expired(event: Event) -> Event:
    return settled(event, EventKind.EXPIRED)


def chained(events: Iterable[Event]) -> list[Event]:
    """The same events, linked as the ledger's scripts link them."""
    links: list[Event] = []
    for number, event in enumerate(events, 1):
        links.append(replace(event, chain=number, prev=links[-1].digest if links else "0" * 40))
    return links


def late_payment(event: Event) -> Event:
    """What the ledger says of a payment that came after this event had ended its order."""
    return replace(event, kind=EventKind.LATE_PAYMENT, no=event.no + 1, at_ms=event.at_ms + 5, reason="card")


def orders_of(events: Iterable[Event]) -> list[Order]:
    """The orders of some events, as the database lists them."""
    return sorted((event.order for event in events), key=lambda order: (order.epoch, order.seq))


class Tables:
    """A second pair of eyes (and hands) on a database, by its URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement and commit; ``?`` marks parameters."""
        with closing(self.connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(self._styled(statement), parameters)
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            connection.commit()
            return rows

    def connect(self) -> Any:
        """A connection of one's own."""
        if self.url.startswith("sqlite"):
            return sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=10)
        parts = urlsplit(self.url)
        return pymysql.connect(host=parts.hostname, port=parts.port or 0, user="root", database=parts.path[1:])

    def item(self, sku: str = SKU) -> tuple[Any, ...]:
        """(total, held, paid)."""
        (row,) = self.sql("SELECT total, held, paid FROM seckill_items WHERE item = ?", sku)
        return row

    def _styled(self, statement: str) -> str:
        return statement if self.url.startswith("sqlite") else statement.replace("?", "%s")


def port_of(server: MariaDB) -> int:
    return urlsplit(server.url).port or 0
