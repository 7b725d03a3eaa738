"""What an operator can do about parked messages: see them, retry them, refund their orders."""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest

from seckill_sidecar.adapters.ledger.keys import Keys
from seckill_sidecar.adapters.ledger.line import Line
from seckill_sidecar.adapters.ledger.redis_ledger import LedgerRules, RedisLedger
from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.clock import Deadline, SystemClock, order_ids
from seckill_sidecar.errors import UsageError, Violation
from seckill_sidecar.model import Event, EventKind, Item, Purchase, State
from seckill_sidecar.ops.parked import ParkedMessages, ParkedQueue, add_arguments
from seckill_sidecar.ports import OrdersDb, Parked, ParkedState
from seckill_sidecar.settings.schema import Timeouts, WriterSettings

SKU = "sneaker"
CLOCK = SystemClock()
make_id = order_ids(CLOCK)


def soon() -> Deadline:
    return Deadline.after(10, CLOCK)


def sql(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement past the adapter, and commit."""
    parts = urlsplit(url)
    connection: Any = (
        sqlite3.connect(url.removeprefix("sqlite:///"))
        if parts.scheme == "sqlite"
        else pymysql.connect(host=parts.hostname, port=parts.port or 0, user="root", database=parts.path[1:])
    )
    with closing(connection), closing(connection.cursor()) as cursor:
        cursor.execute(statement)
        rows = list(cursor.fetchall()) if cursor.description else []
        connection.commit()
        return rows


@dataclass
class Counter:
    """An operator's place, with the stores in view."""

    ledger: RedisLedger
    db: OrdersDb
    url: str
    queue: ParkedQueue | None = None

    def say(self, *words: str) -> tuple[str, int]:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        desk = ParkedMessages(self.db, lambda: self.ledger, self.queue, CLOCK)
        return desk.run(parser.parse_args(words))

    def buy(self, quantity: int = 1) -> Event:
        decision = self.ledger.reserve(Purchase(make_id(SKU), SKU, "ann", quantity), soon())
        return Event.decode(decision.body)

    def settle(self, event: Event, state: State) -> Event:
        return Event.decode(self.ledger.settle(event.order.id, state, "", soon()).body)

    def park(self, event: Event, state: ParkedState = ParkedState.PARKED) -> str:
        self.db.park(Parked(event.message_id, "out of shape", event.encode(), 1, state=state))
        return str(list(self.db.parked())[-1].id)

    def states(self) -> list[str]:
        return [parked.state.value for parked in self.db.parked()]

    def free(self) -> int:
        view = self.ledger.item(SKU, soon())
        assert view is not None
        assert view.balanced
        return view.free

    def refunds(self) -> list[str]:
        """Orders for which the integrator's on_cancelled ran, once for each time."""
        return [order_id for order_id, _ in sql(self.url, "SELECT order_id, state FROM undone")]

    def units(self) -> tuple[int, int]:
        """Held and paid in the database, by the item's row."""
        (units,) = self.db.units(SKU)
        assert (units.held, units.paid) == (units.held_by_orders, units.paid_by_orders)
        return units.held, units.paid


@pytest.fixture
def ledger(redis_url: str) -> Iterator[RedisLedger]:
    with closing(RedisLedger(Line(redis_url, CLOCK, 5.0, 2.0, 64, 1000), Keys("shop"), LedgerRules(), CLOCK)) as ledger:
        ledger.load(Item(SKU, 10, per_buyer=10), soon())
        yield ledger


@pytest.fixture(params=["sqlite", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'x.db'}" if request.param == "sqlite" else request.getfixturevalue("mariadb_url")


@pytest.fixture
def desk(ledger: RedisLedger, url: str) -> Iterator[Counter]:
    sql(url, "CREATE TABLE undone (order_id varchar(96), state varchar(20))")
    undo = "INSERT INTO undone (order_id, state) VALUES (:order_id, :state)"
    with closing(connect_orders_db(url, WriterSettings(on_cancelled=(undo,)), Timeouts())) as db:
        db.migrate()
        yield Counter(ledger, db, url)


# -- list and show -----------------------------------------------------------------------------------


def test_what_waits_is_listed_and_the_rest_on_demand(desk: Counter) -> None:
    first, second = desk.park(desk.buy()), desk.park(desk.buy())
    desk.say("refund", first)
    text, code = desk.say("list")
    assert (text.splitlines()[0].split()[0], code) == (second, 0)
    assert "1 in the database" in text
    listed = json.loads(desk.say("list", "--all", "--json")[0])
    assert [one["state"] for one in listed["parked"]][:2] == ["refunded", "parked"]


def test_a_message_is_shown_with_its_body_whatever_it_is(desk: Counter) -> None:
    desk.db.park(Parked("odd", "no JSON", b"\xff\x00{", 1))
    (odd,) = desk.db.parked()
    assert "\\xff" in desk.say("show", str(odd.id))[0]
    with pytest.raises(UsageError, match="no parked message 999"):
        desk.say("show", "999")


# -- retry -------------------------------------------------------------------------------------------


def test_a_message_whose_cause_was_mended_is_written(desk: Counter) -> None:
    event = desk.buy()
    number = desk.park(event)
    assert desk.say("retry", number) == (f"{number} is written", 0)
    assert desk.db.order(event.order.id) == event.order
    assert desk.states() == ["retried"]
    assert desk.say("retry", number) == (f"{number} was retried already", 0)


def test_a_retry_in_vain_says_why(desk: Counter) -> None:
    event = desk.buy()
    desk.db.write([event])
    other = Event.decode(event.encode().replace(event.order.id.encode(), make_id(SKU).encode()))
    number = desk.park(other)
    text, code = desk.say("retry", "--all")
    assert code == 1
    assert "another order has its number" in text
    (parked,) = desk.db.parked()
    assert (parked.id, parked.state) == (int(number), ParkedState.PARKED)
    assert "another order has its number" in parked.reason
    with pytest.raises(Violation):
        desk.db.write([other])


def test_a_late_payment_is_closed_by_hand_only(desk: Counter) -> None:
    event = desk.buy()
    desk.settle(event, State.CANCELLED)
    number = desk.park(desk.settle(event, State.PAID), ParkedState.LATE_PAYMENT)
    with pytest.raises(UsageError, match="refund it"):
        desk.say("retry", number)
    assert desk.say("retry", "--all") == ("nothing waits", 0)
    assert desk.say("retry", number, "--by-hand")[1] == 0
    assert desk.states() == ["retried"]


# -- refund ------------------------------------------------------------------------------------------


def test_a_refund_gives_the_units_back_and_is_told_once(desk: Counter) -> None:
    event = desk.buy(quantity=3)
    number = desk.park(event)
    assert desk.free() == 7
    desk.say("refund", number)
    assert desk.free() == 10
    order = desk.ledger.order(event.order.id, soon())
    assert order is not None
    assert order.state is State.CANCELLED
    assert desk.refunds() == [event.order.id]
    assert desk.say("refund", number) == (f"{number} was refunded already", 0)
    assert (desk.refunds(), desk.free()) == ([event.order.id], 10)


def test_events_of_a_refunded_order_change_nothing_and_wait_for_nobody(desk: Counter) -> None:
    event = desk.buy()
    desk.say("refund", desk.park(event))
    cancelled = Event.decode(list(desk.ledger.outbox_from(SKU))[-1].body)
    assert cancelled.kind is EventKind.CANCELLED
    other = desk.buy()
    for _ in range(2):
        desk.db.write([event, cancelled, other])
    desk.park(cancelled)
    assert list(desk.db.orders(SKU)) == [other.order]
    assert desk.units() == (1, 0)
    assert "parked" not in desk.states()
    assert desk.refunds() == [event.order.id]
    assert [one.digest for one in desk.db.events(SKU, 1)] == [one.digest for one in (event, cancelled, other)]


def test_an_order_whose_last_step_was_parked_leaves_the_database_as_the_ledger_has_it(desk: Counter) -> None:
    event = desk.buy(quantity=2)
    desk.db.write([event])
    cancelled = desk.settle(event, State.CANCELLED)
    number = desk.park(cancelled)
    assert desk.units() == (2, 0)
    desk.say("refund", number)
    assert desk.units() == (0, 0)
    order = desk.db.order(event.order.id)
    assert order is not None
    assert order.state is State.CANCELLED
    assert [one.digest for one in desk.db.events(SKU, 1)] == [event.digest, cancelled.digest]


def test_a_refund_of_what_was_paid_keeps_its_units_sold(desk: Counter) -> None:
    event = desk.buy()
    desk.db.write([event])
    text, _ = desk.say("refund", desk.park(desk.settle(event, State.PAID)))
    assert "its units stay sold" in text
    assert (desk.units(), desk.free(), desk.refunds()) == ((0, 1), 9, [event.order.id])


def test_a_refunded_late_payment_leaves_its_order_as_it_is(desk: Counter) -> None:
    event = desk.buy()
    cancelled = desk.settle(event, State.CANCELLED)
    number = desk.park(desk.settle(event, State.PAID), ParkedState.LATE_PAYMENT)
    desk.say("refund", number)
    assert desk.refunds() == [event.order.id]
    desk.db.write([event, cancelled])  # they come after it, and count all the same
    order = desk.db.order(event.order.id)
    assert order is not None
    assert order.state is State.CANCELLED
    assert desk.say("refund", number)[0].endswith("refunded already")


def test_all_that_waits_of_an_order_is_refunded_at_once(desk: Counter) -> None:
    event = desk.buy()
    first, second = desk.park(event), desk.park(desk.settle(event, State.PAID))
    desk.say("refund", second)
    assert desk.states()[:2] == ["refunded", "refunded"]
    assert desk.say("refund", first)[0].endswith("refunded already")
    assert len(desk.refunds()) == 1


def test_what_can_not_be_read_or_was_written_is_not_refunded(desk: Counter) -> None:
    desk.db.park(Parked("odd", "no JSON", b"?", 1))
    (odd,) = desk.db.parked()
    with pytest.raises(UsageError, match="nothing to refund"):
        desk.say("refund", str(odd.id))
    number = desk.park(desk.buy())
    desk.say("retry", number)
    with pytest.raises(UsageError, match="dealt with already"):
        desk.say("refund", number)


def test_an_order_that_the_ledger_does_not_know_can_be_refunded(desk: Counter) -> None:
    event = desk.buy()
    number = desk.park(event)
    desk.settle(event, State.CANCELLED)
    desk.ledger.load(Item(SKU, 10), soon(), replaces=1, epoch=2)
    desk.say("refund", number)
    assert (desk.states()[0], desk.refunds()) == ("refunded", [event.order.id])
