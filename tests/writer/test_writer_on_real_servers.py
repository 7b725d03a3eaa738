"""The writer between a real RabbitMQ and a real MariaDB, each taken away in the middle."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count

import pytest
from stack import MariaDB, RabbitMQ, eventually
from writer_words import Door

from seckill_sidecar.adapters.broker import RabbitBroker, RabbitConsumer
from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.clock import Deadline, ManualClock, SystemClock, order_ids
from seckill_sidecar.model import Event, EventKind, Order, State
from seckill_sidecar.ports import OrdersDb
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts, WriterSettings
from seckill_sidecar.workers.writer import Writer

SKU = "sku-1"
CLOCK = SystemClock()
TIMEOUTS = Timeouts.model_validate({"database": "2s"})
WRITER = WriterSettings.model_validate({"batch": 20, "linger": "10ms", "retry": "100ms"})
_queues = count(1)
_make_id = order_ids(ManualClock())


def bought(seq: int) -> Event:
    order = Order(_make_id(SKU), SKU, 1, seq, f"buyer {seq}", 1, State.HELD, accepted_at_ms=seq, due_at_ms=seq)
    return Event(kind=EventKind.ACCEPTED, no=1, order=order, total=1000, at_ms=seq)


@dataclass
class Line:
    """From the gate's end of the broker to the database."""

    broker: RabbitBroker
    orders: OrdersDb
    start_writer: Callable[[], Callable[[], None]]
    """Start a writer; returns what stops it."""

    def publish(self, *events: Event) -> None:
        for event in events:
            self.publish_body(event.message_id, event.encode())

    def publish_body(self, message_id: str, body: bytes) -> None:
        self.broker.publish(message_id, body, Deadline.after(10, CLOCK))

    def written(self) -> list[int]:
        return [order.seq for order in self.orders.orders(SKU)]


@pytest.fixture
def line(rabbit_url: str, mariadb_url: str) -> Iterator[Line]:
    name = f"writer-{next(_queues)}"
    settings = BrokerSettings(exchange=name, queue=f"{name}.orders", parked=f"{name}.parked")
    stops: list[Callable[[], None]] = []
    orders = connect_orders_db(mariadb_url, WRITER, TIMEOUTS)
    orders.migrate()

    def start_writer() -> Callable[[], None]:
        consumer = RabbitConsumer(rabbit_url, settings, TIMEOUTS, CLOCK, name, prefetch=2 * WRITER.batch)
        writer = Writer(consumer, orders, WRITER, Door(), CLOCK, logging.getLogger("tests.writer"))
        stop = threading.Event()
        thread = threading.Thread(target=writer.run, args=(stop,))
        thread.start()

        def end() -> None:
            stop.set()
            thread.join(30)
            consumer.close()

        stops.append(end)
        return end

    with closing(RabbitBroker(rabbit_url, settings, TIMEOUTS, CLOCK, name)) as broker, closing(orders):
        yield Line(broker, orders, start_writer)
        for end in stops:
            end()


def test_published_events_become_rows_and_bad_ones_are_parked(line: Line) -> None:
    line.publish(*(bought(seq) for seq in range(1, 41)))
    line.publish_body("odd", b"?")
    line.publish(*(bought(seq) for seq in range(41, 61)))
    line.start_writer()
    eventually(lambda: len(line.written()) == 60, 30)
    eventually(lambda: [parked.message_id for parked in line.orders.parked()] == ["odd"], 30)


def test_a_database_killed_in_the_middle_costs_nothing(line: Line, mariadb_server: MariaDB) -> None:
    line.start_writer()
    line.publish(*(bought(seq) for seq in range(1, 31)))
    eventually(lambda: len(line.written()) > 0, 30)
    mariadb_server.kill()
    line.publish(*(bought(seq) for seq in range(31, 61)))
    mariadb_server.start()
    eventually(lambda: line.written() == list(range(1, 61)), 30)


def test_a_broker_that_stands_still_costs_nothing(line: Line, rabbit_server: RabbitMQ) -> None:
    line.publish(*(bought(seq) for seq in range(1, 61)))
    line.start_writer()
    eventually(lambda: len(line.written()) > 0, 30)
    rabbit_server.pause()
    rabbit_server.resume()
    eventually(lambda: line.written() == list(range(1, 61)), 30)


def test_writers_that_come_and_go_write_each_order_once(line: Line) -> None:
    line.publish(*(bought(seq) for seq in range(1, 121)))
    for _ in range(3):
        stop_one, stop_other = line.start_writer(), line.start_writer()
        eventually(lambda: len(line.written()) > 0, 30)
        stop_one()
        stop_other()
    line.start_writer()
    eventually(lambda: line.written() == list(range(1, 121)), 30)
    assert list(line.orders.parked()) == []
