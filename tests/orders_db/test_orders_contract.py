"""The contract that every orders database keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from orders_words import SKU, Tables, accepted, cancelled, expired, orders_of, paid

from seckill_sidecar.adapters.orders_db import transactions
from seckill_sidecar.errors import NumberTaken, OverTotal, SchemaMismatch, Unwritable
from seckill_sidecar.model import EventKind, State
from seckill_sidecar.ports import OrdersDb, Parked, Written

ODD_BUYERS = [
    "Ann",
    "ann",
    "änn",
    "ann ",
    " ann",
    "",
    "🛒 买家 ﷽",
    'O\'Brien "the" \\ `buyer`',
    "a\0b\r\n\x1a\t",
    "'; DROP TABLE seckill_orders; --",
    "100 % %s %(item)s :item ::x ?",
    "x" * 255,
    "🛒" * 255,
]


def test_an_accepted_order_is_found_as_it_was_sent(db: OrdersDb) -> None:
    event = accepted()
    assert db.write([event]) == Written(changed=1, repeated=0)
    assert db.order(event.order.id) == event.order


def test_an_unknown_or_malformed_id_finds_nothing(db: OrdersDb) -> None:
    db.write([accepted()])
    assert [db.order(order_id) for order_id in (accepted().order.id, "", "nö", "x' OR '1'='1", "sku~😀")] == [None] * 5


def test_a_buyer_is_kept_to_the_last_character(db: OrdersDb, tables: Tables) -> None:
    events = [accepted(seq, buyer=buyer) for seq, buyer in enumerate(ODD_BUYERS, 1)]
    db.write(events)
    assert [order.buyer for order in db.orders(SKU)] == ODD_BUYERS
    assert tables.sql("SELECT buyer FROM seckill_orders ORDER BY seq") == [(buyer,) for buyer in ODD_BUYERS]


def test_a_buyer_that_does_not_fit_is_refused_and_nothing_is_written(db: OrdersDb, tables: Tables) -> None:
    for buyer in ("x" * 256, "x" * 255 + " ", "\0" * 256, "lone \ud800 surrogate"):
        with pytest.raises(Unwritable):
            db.write([accepted(seq=1), accepted(seq=2, buyer=buyer)])
    assert tables.sql("SELECT count(*) FROM seckill_orders") == [(0,)]
    assert tables.sql("SELECT count(*) FROM seckill_items") == [(0,)]


def test_the_greatest_numbers_of_a_message_fit(db: OrdersDb) -> None:
    most = (1 << 53) - 1
    event = accepted(seq=most, quantity=most, total=most)
    event = replace(event, order=replace(event.order, epoch=most, accepted_at_ms=most, due_at_ms=most))
    db.write([event])
    assert db.order(event.order.id) == event.order


def test_an_empty_batch_changes_nothing(db: OrdersDb) -> None:
    assert db.write([]) == Written(0, 0)


def test_a_repeated_event_changes_nothing(db: OrdersDb, tables: Tables) -> None:
    events = [accepted(seq=seq, quantity=2) for seq in range(1, 4)]
    db.write(events)
    assert db.write([*events, events[0]]) == Written(changed=0, repeated=4)
    assert tables.item() == (100, 6, 0)


@pytest.mark.parametrize(
    ("settle", "held_and_paid"), [(paid, (0, 3)), (cancelled, (0, 0)), (expired, (0, 0))], ids=["paid", "off", "late"]
)
def test_a_settled_order_moves_its_units(db: OrdersDb, tables: Tables, settle, held_and_paid) -> None:
    event = accepted(quantity=3)
    db.write([event])
    assert tables.item()[1:] == (3, 0)
    settlement = settle(event)
    db.write([settlement])
    assert tables.item()[1:] == held_and_paid
    assert db.order(event.order.id) == settlement.order


def test_a_settlement_that_comes_before_its_order_stands(db: OrdersDb, tables: Tables) -> None:
    event = accepted()
    db.write([paid(event)])
    assert db.write([event, event]) == Written(changed=1, repeated=1)
    found = db.order(event.order.id)
    assert found is not None
    assert found.state is State.PAID
    assert tables.item() == (100, 0, 1)


def test_all_steps_of_an_order_fit_into_one_batch_in_any_order(db: OrdersDb, tables: Tables) -> None:
    event = accepted(quantity=2)
    assert db.write([expired(event), event, expired(event)]) == Written(changed=2, repeated=1)
    assert tables.item() == (100, 0, 0)
    assert tables.sql("SELECT state, event_no FROM seckill_orders") == [("expired", 2)]


def test_an_items_total_only_grows(db: OrdersDb, tables: Tables) -> None:
    for seq, total in enumerate([100, 150, 120], 1):
        db.write([accepted(seq=seq, total=total)])
    assert tables.item() == (150, 3, 0)


def test_each_epoch_has_its_own_bound(db: OrdersDb, tables: Tables) -> None:
    first = accepted(total=1)
    second = replace(first, order=replace(accepted(total=1).order, epoch=2))
    db.write([first, second])
    assert tables.sql("SELECT epoch, total, held, paid FROM seckill_items ORDER BY epoch") == [
        (1, 1, 1, 0),
        (2, 1, 1, 0),
    ]


def test_one_unit_too_many_is_refused_and_nothing_is_written(db: OrdersDb, tables: Tables) -> None:
    db.write([accepted(seq=1, total=2)])
    with pytest.raises(OverTotal):
        db.write([accepted(seq=2, quantity=2, total=2)])
    assert tables.item() == (2, 1, 0)
    assert tables.sql("SELECT count(*) FROM seckill_orders") == [(1,)]


def test_units_that_come_back_in_the_same_batch_may_be_sold_in_it(db: OrdersDb, tables: Tables) -> None:
    first = accepted(seq=1, total=1)
    db.write([first])
    db.write([accepted(seq=2, total=1), expired(first)])
    assert tables.item() == (1, 1, 0)


def test_a_second_order_with_the_same_number_is_refused(db: OrdersDb) -> None:
    first, second = accepted(seq=1), accepted(seq=1)
    db.write([first])
    with pytest.raises(NumberTaken):
        db.write([second])
    assert db.order(first.order.id) == first.order
    assert db.order(second.order.id) is None


def test_an_event_that_contradicts_its_order_is_refused(db: OrdersDb) -> None:
    event = accepted()
    db.write([paid(event)])
    for false in (
        replace(event, order=replace(event.order, buyer="bob")),
        replace(event, order=replace(event.order, quantity=2)),
        expired(event),
    ):
        with pytest.raises(Unwritable, match=event.order.id):
            db.write([false])


def test_orders_are_streamed_by_number_across_pages(db: OrdersDb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "PAGE", 3)
    events = [accepted(seq=seq) for seq in range(10, 0, -1)]
    later = [replace(event, order=replace(accepted(seq=event.order.seq).order, epoch=2)) for event in events]
    db.write([*later, *events, accepted(item="other")])
    assert list(db.orders(SKU)) == orders_of([*events, *later])
    assert list(db.orders("sku")) == []
    assert list(db.orders("no sku ' %")) == []


def test_parked_messages_are_kept_once_with_body_and_reason(db: OrdersDb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "PAGE", 2)
    messages = [Parked(f"id-{n}", f"réason % ' {n}", bytes(range(256)) * n, 1000 + n) for n in range(5)]
    messages.append(replace(messages[2], body=b"another body"))
    for message in [*messages, *messages]:
        db.park(message)
    assert list(db.parked()) == messages


def test_a_parking_reason_of_any_kind_is_kept_readable(db: OrdersDb) -> None:
    db.park(Parked("id", "\ud800" + "x" * 100_000, b"", 1))
    (parked,) = db.parked()
    assert parked.reason.startswith("\\ud800x")


def test_a_parked_message_whose_id_does_not_fit_is_refused_or_kept_whole(db: OrdersDb) -> None:
    message = Parked("i" * 300, "why", b"", 1)
    try:
        db.park(message)
    except Unwritable:
        assert list(db.parked()) == []
    else:
        assert list(db.parked()) == [message]


# -- the integrator's statements ---------------------------------------------------------------------

LEGACY = "CREATE TABLE legacy (order_id varchar(96), buyer varchar(300), state varchar(40), note varchar(300))"
ON_ACCEPTED = (
    "-- the shop's own table: it's :order_id that links both\n"
    "INSERT INTO legacy (order_id, buyer, state, note) "
    "VALUES (:order_id, :buyer, :state, '100 % of :it''s %s %(item)s');"
)


def on_settled(word: str) -> str:
    return f"UPDATE legacy SET state = :state, note = '{word} :reason' WHERE order_id = :order_id AND buyer = :buyer"


def test_the_integrators_statements_run_once_for_each_step(tables: Tables, open_db) -> None:
    tables.sql(LEGACY)
    db = open_db(
        tables.url, on_accepted=(ON_ACCEPTED,), on_paid=(on_settled("paid"),), on_expired=(on_settled("gone"),)
    )
    first, second, third = (accepted(seq=seq, buyer=f"b'{seq} %") for seq in range(1, 4))
    for batch in ([first, second], [first, second], [paid(first)], [paid(first), expired(third)], [third]):
        db.write(batch)
    assert sorted(tables.sql("SELECT buyer, state, note FROM legacy")) == [
        ("b'1 %", "paid", "paid :reason"),
        ("b'2 %", "held", "100 % of :it's %s %(item)s"),
        ("b'3 %", "expired", "gone :reason"),
    ]


def test_a_statement_gets_every_documented_parameter(tables: Tables, open_db) -> None:
    tables.sql("CREATE TABLE legacy (all_of_it varchar(400))")
    if tables.url.startswith("sqlite"):
        joined = " || '|' || ".join(f":{name}" for name in PARAMETERS)
    else:
        joined = f"concat_ws('|', {', '.join(f':{name}' for name in PARAMETERS)})"
    db = open_db(tables.url, on_cancelled=(f"INSERT INTO legacy VALUES ({joined})",))
    event = accepted(seq=4, quantity=2)
    db.write([event, cancelled(event)])
    order = event.order
    expected = [order.id, SKU, "ann", 2, 4, 1, "cancelled", order.accepted_at_ms, order.due_at_ms, "changed my mind"]
    assert tables.sql("SELECT all_of_it FROM legacy") == [("|".join(map(str, expected)),)]


PARAMETERS = [
    "order_id", "item", "buyer", "quantity", "seq", "epoch", "state", "accepted_at_ms", "due_at_ms", "reason",
]  # fmt: skip


def test_a_statement_that_fails_for_its_data_is_the_orders_fault(tables: Tables, open_db) -> None:
    tables.sql("CREATE TABLE legacy (buyer varchar(10) NOT NULL PRIMARY KEY)")
    db = open_db(tables.url, on_accepted=("INSERT INTO legacy (buyer) VALUES (:buyer)",))
    db.write([accepted(seq=1, buyer="ann")])
    with pytest.raises(Unwritable, match=r"writer\.on_accepted\.0"):
        db.write([accepted(seq=2, buyer="bob"), accepted(seq=3, buyer="ann")])
    assert tables.item() == (100, 1, 0)
    assert tables.sql("SELECT buyer FROM legacy") == [("ann",)]


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO missing VALUES (:buyer)", "UPDATE seckill_orders SET missing = :buyer", "UPDATE oops :buyer"],
)
def test_a_statement_that_fails_for_its_schema_is_no_orders_fault(tables: Tables, open_db, statement: str) -> None:
    db = open_db(tables.url, on_paid=(statement,))
    event = accepted()
    db.write([event])
    with pytest.raises(SchemaMismatch, match=r"writer\.on_paid\.0") as raised:
        db.write([paid(event)])
    assert not isinstance(raised.value, Unwritable)
    assert tables.item() == (100, 1, 0)


def test_a_database_that_was_not_migrated_says_so(tables: Tables, open_db) -> None:
    db = open_db(tables.url)
    tables.sql("DROP TABLE seckill_orders")
    with pytest.raises(SchemaMismatch, match="migrations"):
        db.write([accepted()])


def test_the_bound_holds_against_the_integrators_own_statements_too(tables: Tables, open_db) -> None:
    db = open_db(tables.url, on_accepted=("UPDATE seckill_items SET paid = total WHERE item = :item",))
    with pytest.raises(Unwritable):
        db.write([accepted()])


def test_every_kind_of_event_leads_to_a_state_that_the_tables_take(db: OrdersDb) -> None:
    for seq, kind in enumerate(set(EventKind) - {EventKind.LATE_PAYMENT}, 1):
        db.write([replace(accepted(seq=seq), kind=kind)])
    assert {order.state for order in db.orders(SKU)} == set(State)
