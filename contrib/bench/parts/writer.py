"""Orders written a second: our writer, beside raw inserts of the same rows by 500, and one by one."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing

import pymysql
from stack import MariaDB

from bench.figures import NotSound, Told
from bench.rounds import ratio, take_turns
from bench.stage import CLOCK
from seckill_sidecar.adapters.breaker import StoreBreaker
from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.adapters.orders_db.fold import Row
from seckill_sidecar.adapters.orders_db.mysql_url import parse_address
from seckill_sidecar.clock import order_ids
from seckill_sidecar.model import Event, EventKind, Order, State
from seckill_sidecar.ports import Delivery
from seckill_sidecar.settings.schema import BreakerSettings, Timeouts, WriterSettings
from seckill_sidecar.workers.writer import Writer

SKU, BATCH = "phone", 500
ORDERS, ROWS_ONE_BY_ONE = 40 * BATCH, 2000
SECOND = 1000

_COLUMNS = ", ".join(Row._fields)
INSERT = f"INSERT INTO seckill_orders ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(Row._fields))})"


class Pile:
    """``ports.Consumer`` of messages that are all there already."""

    def __init__(self, bodies: Iterable[bytes]) -> None:
        self.waiting = deque(Delivery(number, body) for number, body in enumerate(bodies))
        self.acknowledged = 0

    def receive(self, most: int, linger: float) -> list[Delivery]:  # noqa: ARG002 - nothing to wait for
        return [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        self.acknowledged += len(list(deliveries))

    def reject(self, delivery: Delivery, reason: str) -> None:
        raise NotSound(f"the writer rejected {delivery.message_id}: {reason}")

    def release(self, deliveries: Iterable[Delivery]) -> None:
        """Nothing is in hand at the end."""

    def close(self) -> None:
        """Nothing is open."""


def measure(rounds: int) -> Told:
    """Each run fills an empty database of its own."""
    told, sale = Told(), list(_events())
    messages = [event.encode() for event in sale]
    with MariaDB() as mariadb:
        runs = take_turns(
            {
                "our writer": _on_a_fresh_database(mariadb, lambda url: _write(url, messages)),
                "executemany by 500": _on_a_fresh_database(mariadb, lambda url: _executemany(url, sale)),
                "row by row": _on_a_fresh_database(mariadb, lambda url: _row_by_row(url, sale[:ROWS_ONE_BY_ONE])),
            },
            rounds,
        )
    for name in runs:
        told.measured(name, runs[name], "orders a second")
    told.figures["writer_vs_executemany"] = ratio(runs["our writer"], runs["executemany by 500"])
    told.figures["writer_vs_rowwise"] = ratio(runs["our writer"], runs["row by row"])
    return told


def _events() -> Iterable[Event]:
    new_id, now_ms, total = order_ids(CLOCK), int(CLOCK.wall() * SECOND), ORDERS
    for number in range(1, ORDERS + 1):
        order = Order(new_id(SKU), SKU, 1, number, f"buyer-{number}", 1, State.HELD, now_ms, now_ms + 900 * SECOND)
        yield Event(EventKind.ACCEPTED, 1, order, total, now_ms, chain=number, prev=f"{number:040x}")


def _on_a_fresh_database(mariadb: MariaDB, fill: Callable[[str], float]) -> Callable[[], float]:
    def run() -> float:
        url = mariadb.create_database("bench")
        with closing(connect_orders_db(url, WriterSettings(), Timeouts(), clock=CLOCK)) as orders:
            orders.migrate()
        try:
            return fill(url)
        finally:
            mariadb.drop_database("bench")

    return run


def _write(url: str, bodies: Sequence[bytes]) -> float:
    """All that the writer does, from a message's bytes to the acknowledgement after COMMIT."""
    settings, pile = WriterSettings(batch=BATCH), Pile(bodies)
    with closing(connect_orders_db(url, settings, Timeouts(), clock=CLOCK)) as orders:
        breaker = StoreBreaker("database", BreakerSettings(), CLOCK)
        writer = Writer(pile, orders, settings, breaker, CLOCK, logging.getLogger("bench"))
        orders.last_epoch(SKU)  # opens the connection
        began = time.perf_counter()
        while pile.waiting:
            writer.step()
        seconds = time.perf_counter() - began
    if pile.acknowledged != len(bodies):
        raise NotSound(f"{len(bodies)} messages, {pile.acknowledged} acknowledged")
    return len(bodies) / seconds


def _executemany(url: str, events: Sequence[Event]) -> float:
    rows = [tuple(Row.after(event)) for event in events]
    with closing(_connect(url)) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for first in range(0, len(rows), BATCH):
            cursor.executemany(INSERT, rows[first : first + BATCH])
            connection.commit()
        return len(rows) / (time.perf_counter() - began)


def _row_by_row(url: str, events: Sequence[Event]) -> float:
    rows = [tuple(Row.after(event)) for event in events]
    with closing(_connect(url)) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for row in rows:
            cursor.execute(INSERT, row)
            connection.commit()
        return len(rows) / (time.perf_counter() - began)


def _connect(url: str) -> pymysql.Connection:
    address = parse_address(url)
    return pymysql.connect(host=address.host, port=address.port, user=address.user, database=address.database)
