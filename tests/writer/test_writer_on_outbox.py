"""With ``broker: none`` the writer reads the outbox itself, here of a real Redis."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from writer_words import Door, Failing, database_url

from seckill_sidecar.adapters.ledger import Keys, LedgerRules, Line, RedisLedger
from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.clock import Deadline, SystemClock, order_ids
from seckill_sidecar.errors import OverTotal, StoreDown, Unwritable
from seckill_sidecar.model import Item, Purchase, State
from seckill_sidecar.settings.schema import Timeouts, WriterSettings
from seckill_sidecar.workers.relay import OutboxConsumer
from seckill_sidecar.workers.writer import Writer

SKU = "sku-1"
CLOCK = SystemClock()
WRITER = WriterSettings.model_validate({"batch": 4, "linger": "10ms", "retry": "1s"})
_make_id = order_ids(CLOCK)


def within() -> Deadline:
    return Deadline.after(5.0, CLOCK)


@pytest.fixture
def ledger(redis_url: str) -> Iterator[RedisLedger]:
    """A ledger with ten units on sale."""
    ledger = RedisLedger(Line(redis_url, CLOCK, 5.0, 2.0, 64, 1000), Keys("shop"), LedgerRules(), CLOCK)
    with closing(ledger):
        ledger.load(Item(SKU, 10, per_buyer=10), within())
        yield ledger


@pytest.fixture
def orders(tmp_path: Path) -> Iterator[Failing]:
    with closing(connect_orders_db(database_url(tmp_path), WRITER, Timeouts())) as orders:
        orders.migrate()
        yield Failing(orders)


def buy(ledger: RedisLedger) -> str:
    order_id = _make_id(SKU)
    assert ledger.reserve(Purchase(order_id, SKU, "ann", 1), within()).verdict == "accepted"
    return order_id


def left_in_outbox(ledger: RedisLedger) -> int:
    return len(ledger.outbox(SKU, 0, 100, within()))


def test_the_writer_empties_the_outbox(ledger: RedisLedger, orders: Failing) -> None:
    ids = [buy(ledger) for _ in range(6)]
    ledger.settle(ids[0], State.PAID, "card", within())
    writer = Writer(OutboxConsumer(ledger, CLOCK), orders, WRITER, Door(), CLOCK, logging.getLogger("tests.writer"))
    assert [writer.step() for _ in range(3)] == [4, 3, 0]
    assert [order.state for order in orders.orders(SKU)] == [State.PAID] + [State.HELD] * 5
    assert left_in_outbox(ledger) == 0


def test_what_is_in_hand_does_not_come_again_and_is_not_taken_for_another(ledger: RedisLedger) -> None:
    consumer = OutboxConsumer(ledger, CLOCK)
    buy(ledger)
    buy(ledger)
    kept, answered = consumer.receive(2, 0)
    buy(ledger)
    (later,) = consumer.receive(2, 0)
    assert len({kept.tag, answered.tag, later.tag}) == 3
    consumer.ack([answered, later])
    assert [entry.id for entry in ledger.outbox(SKU, 0, 100, within())] == [kept.message_id]
    assert consumer.receive(2, 0) == []
    consumer.release([kept])
    assert [again.body for again in consumer.receive(2, 0)] == [kept.body]


def test_one_that_waits_does_not_keep_others_from_being_written(ledger: RedisLedger, orders: Failing) -> None:
    writer = Writer(OutboxConsumer(ledger, CLOCK), orders, WRITER, Door(), CLOCK, logging.getLogger("tests.writer"))
    buy(ledger)
    orders.before.append(OverTotal("database", "one too many"))
    assert writer.step() == 0
    buy(ledger)
    assert writer.step() == 1
    assert [order.seq for order in orders.orders(SKU)] == [2]
    assert left_in_outbox(ledger) == 1


def test_what_can_not_even_be_parked_stays_in_the_outbox(ledger: RedisLedger, orders: Failing) -> None:
    writer = Writer(OutboxConsumer(ledger, CLOCK), orders, WRITER, Door(), CLOCK, logging.getLogger("tests.writer"))
    buy(ledger)
    orders.before.append(Unwritable("database", "no"))
    orders.refuses_parking = Unwritable("database", "neither")
    assert [writer.step(), writer.step()] == [1, 0]
    assert left_in_outbox(ledger) == 1


def test_a_database_that_is_down_leaves_everything_in_the_outbox(ledger: RedisLedger, orders: Failing) -> None:
    writer = Writer(OutboxConsumer(ledger, CLOCK), orders, WRITER, Door(), CLOCK, logging.getLogger("tests.writer"))
    buy(ledger)
    orders.before.append(StoreDown("database", "gone"))
    with pytest.raises(StoreDown):
        writer.step()
    assert left_in_outbox(ledger) == 1
    assert writer.step() == 1
    assert left_in_outbox(ledger) == 0
