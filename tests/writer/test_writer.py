"""The writer: what happens to each message, whatever the database and the broker do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from writer_words import Door, Failing, ListQueue, StopAfter, database_url

from seckill_sidecar.adapters.orders_db import connect_orders_db
from seckill_sidecar.clock import ManualClock, order_ids
from seckill_sidecar.errors import (
    BreakerOpen,
    OutcomeUnknown,
    SchemaMismatch,
    StoreDown,
    Unwritable,
)
from seckill_sidecar.model import Event, EventKind, Order, State
from seckill_sidecar.ports import ParkedState
from seckill_sidecar.settings.schema import Timeouts, WriterSettings
from seckill_sidecar.workers.writer import LONGEST_PAUSE, PATIENCE, Writer

SKU = "sku-1"
LOG = logging.getLogger("tests.writer")
DOWN = StoreDown("database", "gone fishing")
make_id = order_ids(ManualClock())


def bought(seq: int, buyer: str = "ann", total: int = 1000) -> Event:
    order = Order(make_id(SKU), SKU, 1, seq, buyer, 1, State.HELD, accepted_at_ms=seq, due_at_ms=seq + 900_000)
    return Event(kind=EventKind.ACCEPTED, no=1, order=order, total=total, at_ms=seq)


def expired(event: Event) -> Event:
    return replace(event, kind=EventKind.EXPIRED, no=2, order=replace(event.order, state=State.EXPIRED))


@dataclass
class Desk:
    """A writer with all that it works with."""

    queue: ListQueue
    orders: Failing
    door: Door
    clock: ManualClock
    writer: Writer = field(init=False)
    settings: WriterSettings
    paused: list[str] = field(default_factory=list)
    ledger_down: bool = False

    def __post_init__(self) -> None:
        self.writer = Writer(
            self.queue, self.orders, self.settings, self.door, self.clock, LOG, on_violation=self.pause
        )

    def pause(self, sku: str) -> None:
        if self.ledger_down:
            raise StoreDown("ledger", "gone fishing too")
        self.paused.append(sku)

    def written(self) -> list[int]:
        """Sequence numbers of the orders in the database."""
        return [order.seq for order in self.orders.orders(SKU)]

    def parked(self) -> list[str]:
        return [parked.message_id for parked in self.orders.parked()]


@pytest.fixture
def settings() -> WriterSettings:
    return WriterSettings.model_validate({"batch": 100, "retry": "1s"})


@pytest.fixture
def desk(tmp_path: Path, settings: WriterSettings) -> Iterator[Desk]:
    with closing(connect_orders_db(database_url(tmp_path), settings, Timeouts())) as orders:
        orders.migrate()
        yield Desk(ListQueue(), Failing(orders), Door(), ManualClock(), settings)


# -- the good way ------------------------------------------------------------------------------------


def test_a_batch_is_written_in_one_transaction_and_acknowledged_once(desk: Desk) -> None:
    desk.queue.put(*(bought(seq) for seq in range(1, 101)))
    assert desk.writer.step() == 100
    assert desk.written() == list(range(1, 101))
    assert (desk.orders.writes, desk.queue.acks, desk.queue.empty) == ([100], [100], True)


def test_more_than_a_batch_waits_for_the_next_step(desk: Desk) -> None:
    desk.queue.put(*(bought(seq) for seq in range(1, 121)))
    assert [desk.writer.step() for _ in range(3)] == [100, 20, 0]
    assert desk.orders.writes == [100, 20]


def test_one_line_a_batch_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOG.name)
    event = bought(1)
    desk.queue.put(event, event, bought(2))
    desk.writer.step()
    assert caplog.messages == ["wrote 3 events, 1 of them known already"]


# -- messages at fault -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[1]", b'{"v": 99}', b"[" * 500_000, bought(9).encode().replace(b'"no":1', b'"no":"x"')],
)
def test_an_unreadable_message_is_parked_and_the_others_are_written(desk: Desk, body: bytes) -> None:
    desk.queue.put(bought(1))
    desk.queue.put_body(body, "odd")
    desk.queue.put(bought(2))
    assert desk.writer.step() == 3
    assert desk.written() == [1, 2]
    (parked,) = desk.orders.parked()
    assert (parked.message_id, parked.body) == ("odd", body)
    assert parked.reason
    assert desk.queue.empty


def test_exactly_the_messages_at_fault_are_parked(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    good = [bought(seq) for seq in range(1, 98)]
    bad = [bought(101, buyer="x" * 256), bought(5), bought(102, buyer="\ud800")]
    events = [*good[:10], bad[0], *good[10:50], bad[1], bad[2], *good[50:]]
    bodies = [event.encode() if event is not bad[2] else surrogate_body(event) for event in events]
    for event, body in zip(events, bodies, strict=True):
        desk.queue.put_body(body, event.message_id)
    assert desk.writer.step() == 100
    assert desk.written() == list(range(1, 98))
    assert sorted(desk.parked()) == sorted(event.message_id for event in bad)
    assert desk.queue.empty
    assert len([line for line in caplog.messages if line.startswith("parked")]) == 3
    assert all("retry or refund" in line for line in caplog.messages)


def surrogate_body(event: Event) -> bytes:
    """A message as a hostile JSON writer can make it: valid JSON, text that is no Unicode."""
    return replace(event, order=replace(event.order, buyer="@")).encode().replace(b'"@"', b'"\\ud800"')


def test_what_can_not_even_be_parked_is_rejected_to_the_brokers_own_parked_queue(desk: Desk) -> None:
    desk.orders.refuses_parking = Unwritable("database", "body too large")
    desk.queue.put_body(b"?", "odd")
    desk.queue.put(bought(1))
    assert desk.writer.step() == 2
    assert (desk.queue.rejected, desk.written(), desk.queue.empty) == (["odd"], [1], True)


def test_a_batch_of_nothing_but_bad_messages_is_parked_whole(desk: Desk) -> None:
    for n in range(7):
        desk.queue.put_body(b"?", f"odd-{n}")
    desk.queue.put(*(bought(seq, buyer="x" * 256) for seq in range(1, 8)))
    assert desk.writer.step() == 14
    assert len(desk.parked()) == 14
    assert desk.queue.empty


def test_a_late_payment_is_parked_as_such_and_changes_no_row(desk: Desk) -> None:
    first = bought(1)
    late = replace(expired(first), kind=EventKind.LATE_PAYMENT, no=3)
    cancelled = replace(late, order=replace(late.order, id=make_id(SKU), state=State.CANCELLED))
    desk.queue.put(first, late, expired(first), cancelled)
    assert desk.writer.step() == 4
    assert [order.state for order in desk.orders.orders(SKU)] == [State.EXPIRED]
    reasons = {parked.order_id: parked.reason for parked in desk.orders.parked()}
    assert "had expired; refund it, or sell a unit by hand" in reasons[first.order.id]
    assert "was cancelled" in reasons[cancelled.order.id]
    assert {parked.state for parked in desk.orders.parked()} == {ParkedState.LATE_PAYMENT}
    assert desk.queue.empty


# -- an item that was sold twice over ----------------------------------------------------------------


def test_an_order_over_the_total_pauses_its_item_once_it_is_out_of_patience(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.queue.put(bought(1, total=1), bought(2, total=1))
    desk.writer.step()
    assert desk.paused == []
    desk.clock.advance(PATIENCE + 1)
    desk.writer.step()
    assert desk.paused == [SKU]
    assert len(desk.parked()) == 1
    assert "seckill-sidecar item open sku-1" in caplog.text


def test_a_second_order_with_the_same_number_pauses_the_item(desk: Desk) -> None:
    desk.queue.put(bought(1), bought(1))
    assert desk.writer.step() == 2
    assert (desk.paused, len(desk.parked()), desk.written()) == ([SKU], 1, [1])


def test_a_ledger_that_is_down_keeps_no_order_from_being_parked(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.ledger_down = True
    desk.queue.put(bought(1), bought(1))
    desk.writer.step()
    assert (len(desk.parked()), desk.queue.empty) == (1, True)
    assert "do it now: seckill-sidecar item pause sku-1" in caplog.text


def test_an_order_at_fault_by_itself_pauses_nothing(desk: Desk) -> None:
    desk.queue.put(bought(1, buyer="x" * 256))
    desk.writer.step()
    assert (desk.paused, len(desk.parked())) == ([], 1)


# -- over the total ----------------------------------------------------------------------------------


def test_units_that_are_sold_again_before_their_return_is_known_wait_for_it(desk: Desk) -> None:
    first, second = bought(1, total=1), bought(2, total=1)
    desk.queue.put(first, second)
    assert desk.writer.step() == 1
    assert (desk.written(), len(desk.queue.unanswered)) == ([1], 1)
    desk.clock.advance(5)
    desk.queue.put(expired(first))
    assert desk.writer.step() == 2
    assert (desk.written(), desk.parked(), desk.queue.empty) == ([1, 2], [], True)


def test_an_order_that_stays_over_the_total_is_parked_and_no_other(desk: Desk) -> None:
    events = [bought(seq, total=3) for seq in range(1, 6)]
    desk.queue.put(*events)
    steps = 0
    while not desk.queue.empty:
        desk.writer.step()
        desk.clock.advance(10)
        steps += 1
    assert steps == PATIENCE / 10 + 1
    assert desk.written() == [1, 2, 3]
    assert desk.parked() == [event.message_id for event in events[3:]]
    assert all("total" in parked.reason for parked in desk.orders.parked())


def test_what_waits_is_not_asked_about_at_every_step(desk: Desk) -> None:
    desk.queue.put(bought(1, total=1), bought(2, total=1))
    desk.writer.step()
    asked = len(desk.orders.writes)
    for _ in range(50):
        desk.writer.step()
    assert len(desk.orders.writes) == asked


def test_only_half_a_batch_may_wait(desk: Desk) -> None:
    desk.queue.put(*(bought(seq, total=1) for seq in range(1, 81)))
    desk.writer.step()
    assert (len(desk.written()), len(desk.queue.unanswered), len(desk.parked())) == (1, 50, 29)


# -- stores that fail --------------------------------------------------------------------------------


def test_a_batch_stays_in_hand_while_the_database_is_down(desk: Desk) -> None:
    desk.queue.put(bought(1))
    desk.orders.before.extend([DOWN, DOWN])
    for _ in range(2):
        with pytest.raises(StoreDown):
            desk.writer.step()
    desk.queue.put(bought(2))
    assert desk.writer.step() == 1
    assert (desk.written(), desk.queue.acks) == ([1], [1])


def test_a_lost_reply_to_commit_is_answered_by_writing_again(desk: Desk) -> None:
    desk.queue.put(bought(1), bought(2))
    desk.orders.after.append(OutcomeUnknown("database", "lost"))
    with pytest.raises(OutcomeUnknown):
        desk.writer.step()
    assert desk.queue.acks == []
    assert desk.writer.step() == 2
    assert (desk.written(), desk.orders.writes, desk.queue.empty) == ([1, 2], [2, 2], True)


def test_a_database_that_goes_down_while_a_batch_is_halved_is_taken_up_where_it_was(desk: Desk) -> None:
    desk.queue.put(*(bought(seq) for seq in range(1, 5)), bought(5, buyer="x" * 256))
    real = desk.orders.write
    calls = count(1)

    def down_at_the_fourth(events: Any) -> Any:
        if next(calls) == 4:
            raise DOWN
        return real(events)

    desk.orders.write = down_at_the_fourth  # type: ignore[method-assign]
    with pytest.raises(StoreDown):
        desk.writer.step()
    desk.writer.step()
    assert (desk.written(), len(desk.parked()), desk.queue.empty) == ([1, 2, 3, 4], 1, True)


def test_a_schema_that_does_not_fit_parks_nothing_and_is_said_loudly(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.queue.put(bought(1))
    desk.orders.before.append(SchemaMismatch("database", "writer.on_paid.0: no such table"))
    desk.writer.run(StopAfter(1))
    assert [(record.levelno, "writer.on_paid.0" in record.message) for record in caplog.records] == [
        (logging.ERROR, True)
    ]
    assert desk.parked() == []
    assert len(desk.queue.ready) == 1


def test_pauses_double_up_to_a_bound_and_begin_anew_after_success(desk: Desk) -> None:
    desk.queue.put(bought(1))
    desk.orders.before.extend([DOWN] * 7)
    stop = StopAfter(7)
    desk.writer.run(stop)
    assert stop.pauses == [1, 2, 4, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    desk.orders.before.append(DOWN)
    stop = StopAfter(1)
    desk.writer.run(stop)
    assert stop.pauses == [1]


def test_an_open_breaker_leaves_the_database_alone(desk: Desk) -> None:
    desk.queue.put(bought(1))
    desk.door.shut = BreakerOpen("database", 2.0)
    desk.writer.run(StopAfter(3))
    assert desk.orders.writes == []
    desk.door.shut = None
    assert desk.writer.step() == 1


def test_what_is_in_hand_goes_back_when_the_writer_stops(desk: Desk) -> None:
    desk.queue.put(bought(1, total=1), bought(2, total=1))
    desk.writer.step()  # the second waits
    desk.queue.put(bought(3))
    desk.queue.put_body(b"?", "odd")
    desk.orders.before.append(DOWN)
    desk.writer.run(StopAfter(1))
    assert desk.queue.unanswered == {}
    assert len(desk.queue.ready) == 3


def test_deliveries_of_a_lost_connection_come_again_and_change_nothing(desk: Desk) -> None:
    desk.queue.put(bought(1), bought(2))
    desk.orders.before.append(DOWN)
    with pytest.raises(StoreDown):
        desk.writer.step()
    desk.queue.lose_connection()
    desk.writer.step()  # written, but can't be acknowledged any more
    assert (desk.written(), len(desk.queue.ready)) == ([1, 2], 2)
    desk.writer.step()
    assert (desk.written(), desk.queue.empty) == ([1, 2], True)


def test_a_parked_message_that_comes_again_is_parked_once(desk: Desk) -> None:
    desk.queue.put_body(b"?", "odd")
    desk.queue.put(bought(1))
    real = desk.orders.park
    desk.orders.park = lambda parked: (real(parked), desk.queue.lose_connection())  # type: ignore[assignment,func-returns-value]
    desk.writer.step()
    desk.orders.park = real  # type: ignore[method-assign]
    desk.writer.step()
    assert (desk.parked(), desk.written(), desk.queue.empty) == (["odd"], [1], True)
