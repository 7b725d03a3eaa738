"""Words for tests of the audit: play a small sale on real stores, damage them behind the program's back, audit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import pymysql
from redis import Redis

from seckill_sidecar.adapters.ledger import Keys
from seckill_sidecar.clock import Deadline, SystemClock, order_ids
from seckill_sidecar.model import Decision, Item, Order, Purchase, State
from seckill_sidecar.ops.audit import Auditor, Report
from seckill_sidecar.settings import loads
from seckill_sidecar.wiring import Site

SKU = "sneaker"
CLOCK = SystemClock()
_new_id = order_ids(CLOCK)

YAML = """
stores: {{redis: "{redis}", broker: "{broker}", database: "{database}"}}
timeouts: {{ledger: 5s, request: 10s, broker: 5s, connect: 5s}}
broker: {{exchange: {name}, queue: {name}, parked: {name}.parked}}
relay: {{after: 0s}}
writer: {{linger: 10ms}}
keys: [{{id: "1", secret: 0123456789abcdef0123456789abcdef}}]
identity: {{buyer: {{header: X-User-Id, trust: proxy}}}}
"""


def within(seconds: float = 10.0) -> Deadline:
    """A deadline on the real clock."""
    return Deadline.after(seconds, CLOCK)


class Shop:
    """A sale on real stores, whose writer works when it is told to."""

    def __init__(self, redis_url: str, database_url: str, broker_url: str = "none") -> None:
        self.name = f"audit-{token_hex(4)}"
        self.yaml = YAML.format(redis=redis_url, database=database_url, broker=broker_url, name=self.name)
        self.site = Site(loads(self.yaml, "shop.yaml", {}))
        self.site.orders.migrate()
        self.redis = Redis.from_url(redis_url)
        self.database = Database(database_url)
        self.keys = Keys(self.site.settings.ledger.prefix)

    def close(self) -> None:
        self.redis.close()
        self.site.ledger.close()
        self.site.orders.close()

    # -- selling

    def open_sale(self, total: int = 100, sku: str = SKU, **fields: Any) -> None:
        """Load an item that sells at once."""
        present = self.site.ledger.item(sku, within())
        replaces = present.epoch if present else None
        item = Item(sku, total, **{"per_buyer": 10, **fields})
        self.site.ledger.load(item, within(), replaces=replaces)

    def try_to_buy(self, buyer: str = "ann", quantity: int = 1, sku: str = SKU) -> Decision:
        """Ask for units."""
        return self.site.ledger.reserve(Purchase(_new_id(sku), sku, buyer, quantity), within())

    def buy(self, buyer: str = "ann", quantity: int = 1, sku: str = SKU) -> Order:
        """Ask for units, and be sure to get them."""
        order = self.try_to_buy(buyer, quantity, sku).order
        assert order is not None
        return order

    def settle(self, order: Order, state: State) -> None:
        """Pay, cancel or expire an order."""
        self.site.ledger.settle(order.id, state, "", within())

    def write(self) -> None:
        """Let the writer take everything from the outbox to the database."""
        writer = self.site.writer()
        while writer.step():
            pass

    def play(self, orders: int = 9, sku: str = SKU) -> list[Order]:
        """Sell some orders of one and two units, pay a third of them, cancel another, and write them all."""
        bought = [self.buy(f"buyer-{number}", 1 + number % 2, sku) for number in range(orders)]
        for order in bought[::3]:
            self.settle(order, State.PAID)
        for order in bought[1::3]:
            self.settle(order, State.CANCELLED)
        self.write()
        return bought

    # -- auditing

    def audit(self, *skus: str, patience: float = 0.3) -> Report:
        """Compare everything."""
        return Auditor(self.site.ledger, self.site.orders, CLOCK, patience).audit(skus)

    def expect_balanced(self, **counts: int) -> Report:
        """Nothing is wrong, and the counts are these."""
        report = self.audit()
        assert report.balanced, report
        assert {kind: report.total(kind) for kind in counts} == counts
        return report

    def expect_wrong(self, **counts: int) -> Report:
        """Of all that can be wrong, these and nothing else are."""
        report = self.audit()
        assert not report.balanced
        wrong = ("missing", "duplicated", "oversold", "unknown", "differing")
        assert {kind: report.total(kind) for kind in wrong if report.total(kind)} == counts, report
        return report

    # -- damage

    def key(self, part: str, sku: str = SKU) -> str:
        return self.keys.of(sku, part)


class Database:
    """A second pair of hands on the orders database, which nothing forbids."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, statement: str, *parameters: Any) -> int:
        """Run one statement without any checks, ``?`` for parameters; how many rows it changed."""
        with closing(self._connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(statement if self._is_sqlite else statement.replace("?", "%s"), parameters)
            connection.commit()
            return int(cursor.rowcount)

    def drop_constraints(self) -> None:
        """Put tables without any keys or checks in the place of ours."""
        for table in ("seckill_orders", "seckill_items"):
            self.run(f"CREATE TABLE copied AS SELECT * FROM {table}")
            self.run(f"DROP TABLE {table}")
            self.run(f"ALTER TABLE copied RENAME TO {table}")

    @property
    def _is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def _connect(self) -> Any:
        if self._is_sqlite:
            return sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=10)
        parts = urlsplit(self.url)
        return pymysql.connect(host=parts.hostname, port=parts.port or 0, user="root", database=parts.path[1:])


def ids(report: Report, kind: str) -> set[str]:
    """The orders that a report gives as examples of a kind."""
    return {example.order for example in report.examples[kind]}
