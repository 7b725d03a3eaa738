"""RabbitMQ's own parked queue, taken into the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from stack import eventually

from seckill_sidecar.adapters.broker import RabbitBroker, RabbitConsumer, queue_state
from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.errors import Unwritable, UsageError
from seckill_sidecar.ops.parked import ParkedMessages, ParkedQueue
from seckill_sidecar.ports import Ledger, OrdersDb, Parked
from seckill_sidecar.settings.schema import BrokerSettings, Timeouts, WriterSettings

CLOCK = SystemClock()
TIMEOUTS = Timeouts.model_validate({"connect": "5s"})
_queues = count(1)


def no_ledger() -> Ledger:
    raise AssertionError("collecting needs no ledger")


@pytest.fixture
def settings() -> BrokerSettings:
    name = f"collect-{next(_queues)}"
    return BrokerSettings(exchange=name, queue=f"{name}.orders", parked=f"{name}.parked")


@pytest.fixture
def queue(rabbit_url: str, settings: BrokerSettings) -> ParkedQueue:
    return ParkedQueue(
        depth=lambda: queue_state(rabbit_url, settings, TIMEOUTS, "test", settings.parked).messages,
        consumer=lambda: RabbitConsumer(rabbit_url, settings, TIMEOUTS, CLOCK, "test", 50, queue=settings.parked),
    )


@pytest.fixture
def db(tmp_path: Path) -> Iterator[OrdersDb]:
    with closing(connect_orders_db(f"sqlite:///{tmp_path / 'x.db'}", WriterSettings(), Timeouts())) as orders:
        orders.migrate()
        yield orders


def dead_letter(rabbit_url: str, settings: BrokerSettings, bodies: list[bytes]) -> None:
    """Publish messages, and reject each as the writer would."""
    with closing(RabbitBroker(rabbit_url, settings, TIMEOUTS, CLOCK, "test")) as broker:
        for number, body in enumerate(bodies):
            broker.publish(f"m-{number}", body, Deadline.after(20, CLOCK))
    left = len(bodies)
    with closing(RabbitConsumer(rabbit_url, settings, TIMEOUTS, CLOCK, "test", 50)) as consumer:
        while left:
            for delivery in consumer.receive(50, 5.0):
                consumer.reject(delivery, "a test wants it so")
                left -= 1


def test_messages_are_counted_taken_in_and_gone_from_the_broker(
    rabbit_url: str, settings: BrokerSettings, queue: ParkedQueue, db: OrdersDb
) -> None:
    desk = ParkedMessages(db, no_ledger, queue, CLOCK)
    assert "0 in RabbitMQ's parked queue" in desk.list(everything=False, as_json=False)
    dead_letter(rabbit_url, settings, [b"one", b"two", b"three"])
    eventually(lambda: queue.depth() == 3, 20, "they lie in the parked queue")
    assert "parked collect" in desk.list(everything=False, as_json=False)
    assert desk.collect() == ("3 taken from RabbitMQ's parked queue", 0)
    assert sorted((parked.message_id, parked.body) for parked in db.parked()) == [
        ("m-0", b"one"),
        ("m-1", b"two"),
        ("m-2", b"three"),
    ]
    eventually(lambda: queue.depth() == 0, 20, "the parked queue is empty")


def test_what_the_table_does_not_take_stays_in_the_broker(
    rabbit_url: str, settings: BrokerSettings, queue: ParkedQueue, db: OrdersDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = db.park

    def park(parked: Parked) -> None:
        if parked.body == b"bad":
            raise Unwritable("database", "too large")
        take(parked)

    monkeypatch.setattr(db, "park", park)
    dead_letter(rabbit_url, settings, [b"good", b"bad"])
    eventually(lambda: queue.depth() == 2, 20, "they lie in the parked queue")
    text, code = ParkedMessages(db, no_ledger, queue, CLOCK).collect()
    assert (code, [parked.body for parked in db.parked()]) == (1, [b"good"])
    assert "1 stay there" in text
    eventually(lambda: queue.depth() == 1, 20, "the bad one is back")


def test_without_a_broker_there_is_nothing_to_collect(db: OrdersDb) -> None:
    with pytest.raises(UsageError, match="broker none"):
        ParkedMessages(db, no_ledger, None, CLOCK).collect()


def test_a_broker_that_is_down_hides_nothing_of_the_table(settings: BrokerSettings, db: OrdersDb) -> None:
    nobody = "amqp://guest:guest@127.0.0.1:9/"
    queue = ParkedQueue(
        depth=lambda: queue_state(nobody, settings, TIMEOUTS, "test", settings.parked).messages,
        consumer=lambda: RabbitConsumer(nobody, settings, TIMEOUTS, CLOCK, "test", 50),
    )
    db.park(Parked("odd", "no JSON", b"?", 1))
    text = ParkedMessages(db, no_ledger, queue, CLOCK).list(everything=False, as_json=False)
    assert "1 in the database, unknown how many in RabbitMQ's parked queue" in text
