"""Any order, repetition and batching of the events of some orders ends in the same rows, sums and statements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from orders_words import Tables, accepted, cancelled, chained, expired, paid

from seckill_sidecar.adapters.orders_db.fold import Row, fold
from seckill_sidecar.model import Event, State
from seckill_sidecar.ports import OrdersDb

SETTLE: list[Callable[[Event], Event] | None] = [None, paid, cancelled, expired]
_items = count(1)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[str, list[Event], list[list[Event]]]:
    """An item, each event once, and the same events repeated, shuffled and cut into batches."""
    item = f"item-{next(_items)}"
    once: list[Event] = []
    for seq in range(1, draw(st.integers(1, 6)) + 1):
        first = accepted(
            seq, buyer=f"b{seq}", quantity=draw(st.integers(1, 3)), total=draw(st.integers(20, 30)), item=item
        )
        settle = draw(st.sampled_from(SETTLE))
        once += [first] if settle is None else [first, replace(settle(first), total=30)]
    once = chained(once)
    again = draw(st.lists(st.sampled_from(once), max_size=6))
    shuffled = draw(st.permutations(once + again))
    cuts = sorted(draw(st.sets(st.integers(0, len(shuffled)), max_size=5)))
    edges = [0, *cuts, len(shuffled)]
    return item, once, [shuffled[a:b] for a, b in pairwise(edges)]


def row_after(events: list[Event]) -> Row:
    """The row that all events of one order leave, whatever their order."""
    first, *later = events
    row = Row.after(first)
    for event in later:
        row = row.joined(Row.after(event))
    return row


def final_states(events: list[Event]) -> dict[str, Event]:
    """By order id, its last event."""
    last: dict[str, Event] = {}
    for event in sorted(events, key=lambda event: event.no):
        last[event.order.id] = event
    return last


@given(deliveries())
def test_the_fold_gives_the_same_rows_and_sums(case: tuple[str, list[Event], list[list[Event]]]) -> None:
    item, once, batches = case
    known: dict[str, Row] = {}
    held = paid_units = changed = 0
    entered: list[tuple[str, str]] = []
    for batch in batches:
        changes = fold(batch, known)
        known |= {row.order_id: row for row in [*changes.inserts, *changes.updates, *changes.completions]}
        units = changes.items[item, 1]
        held, paid_units = held + units.held, paid_units + units.paid
        changed += changes.changed
        entered += [(row.order_id, state) for state, rows in changes.entered.items() for row in rows]
        assert changes.inserts == sorted(changes.inserts)
    last = final_states(once)
    assert known == {order_id: row_after([event for event in once if event.order.id == order_id]) for order_id in last}
    assert held == sum(event.order.quantity for event in last.values() if event.order.state is State.HELD)
    assert paid_units == sum(event.order.quantity for event in last.values() if event.order.state is State.PAID)
    assert sorted(entered) == sorted((event.order.id, event.order.state) for event in once)
    assert changed == len(once)


@pytest.fixture
def shop_db(tables: Tables, open_db) -> OrdersDb:
    """A database whose integrator logs each step, and each order's latest state."""
    tables.sql("CREATE TABLE steps (order_id varchar(96), step varchar(20), buyer varchar(20))")
    tables.sql("CREATE TABLE shop (order_id varchar(96) PRIMARY KEY, state varchar(20))")
    log = "INSERT INTO steps (order_id, step, buyer) VALUES (:order_id, :state, :buyer)"
    enter = "INSERT INTO shop (order_id, state) VALUES (:order_id, :state)"
    move = "UPDATE shop SET state = :state WHERE order_id = :order_id"
    later = dict.fromkeys(("on_paid", "on_cancelled", "on_expired"), (log, move))
    return open_db(tables.url, on_accepted=(log, enter), **later)


@given(case=deliveries())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_gives_the_same_rows_sums_and_statements(
    tables: Tables, shop_db: OrdersDb, case: tuple[str, list[Event], list[list[Event]]]
) -> None:
    item, once, batches = case
    for batch in batches:
        shop_db.write(batch)
    last = final_states(once)
    assert {order.id: order for order in shop_db.orders(item)} == {id_: event.order for id_, event in last.items()}
    assert list(shop_db.events(item, 1)) == once
    steps = tables.sql("SELECT order_id, step, buyer FROM steps WHERE order_id LIKE ?", f"{item}~%")
    assert sorted(steps) == sorted((event.order.id, event.order.state.value, event.order.buyer) for event in once)
    shop = tables.sql("SELECT order_id, state FROM shop WHERE order_id LIKE ?", f"{item}~%")
    assert dict(shop) == {id_: event.order.state.value for id_, event in last.items()}
    total, held, paid_units = tables.item(item)
    assert total == max(event.total for event in once)
    assert held == sum(event.order.quantity for event in last.values() if event.order.state is State.HELD)
    assert paid_units == sum(event.order.quantity for event in last.values() if event.order.state is State.PAID)
