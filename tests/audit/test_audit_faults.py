"""Each fault that is planted is found, named and counted once; what is in order stays so."""

from __future__ import annotations

import json

import pytest
from audit_words import SKU, Shop, ids

from seckill_sidecar.model import State
from seckill_sidecar.ops.audit.report import Example
from seckill_sidecar.ports import Parked


def test_a_sale_that_was_written_is_balanced(shop: Shop) -> None:
    shop.play(9)
    shop.expect_balanced(accepted=9, in_database=9, in_outbox=0, on_its_way=0, parked=0)


def test_empty_stores_are_balanced(shop: Shop) -> None:
    shop.expect_balanced(accepted=0)
    shop.redis.flushall()
    assert shop.audit().items == []


def test_what_waits_in_the_outbox_is_there(shop: Shop) -> None:
    bought = shop.play(3)
    shop.buy("late")
    shop.settle(bought[2], State.PAID)
    shop.expect_balanced(accepted=4, in_database=3, in_outbox=1)


def test_an_order_that_is_settled_before_it_is_written_waits_in_the_outbox(shop: Shop) -> None:
    shop.settle(shop.buy(), State.CANCELLED)
    shop.expect_balanced(accepted=1, in_outbox=1)


def test_several_items_are_audited_together_or_by_name(shop: Shop) -> None:
    shop.open_sale(sku="kettle")
    shop.play(3)
    shop.play(6, sku="kettle")
    shop.expect_balanced(accepted=9, in_database=9)
    assert [item.item for item in shop.audit("kettle").items] == ["kettle"]
    assert shop.audit("kettle").total("accepted") == 6


def test_an_earlier_epoch_is_the_databases_alone(shop: Shop) -> None:
    for order in shop.play(3):
        shop.settle(order, State.CANCELLED)
    shop.write()
    shop.open_sale(total=50)
    shop.play(6)
    report = shop.expect_balanced(accepted=6, in_database=6)
    assert [units.orders for units in report.items[0].books.database] == [3, 6]


# -- orders


def test_a_deleted_row_is_missing(shop: Shop) -> None:
    bought = shop.play()
    shop.database.run("DELETE FROM seckill_orders WHERE order_id = ?", bought[0].id)
    report = shop.expect_wrong(missing=1)
    assert ids(report, "missing") == {bought[0].id}
    assert report.total("accepted") == report.total("in_database") + 1 == 9


def test_an_added_row_is_unknown_to_the_ledger(shop: Shop) -> None:
    bought = shop.play()
    shop.database.run("UPDATE seckill_items SET held = held + 2")
    shop.database.run(
        "INSERT INTO seckill_orders (order_id, item, epoch, seq, buyer, quantity, state, event_no, "
        "accepted_at_ms, due_at_ms, reason, updated_at_ms) "
        "SELECT ?, item, epoch, 77, buyer, 2, 'held', 1, 1, 1, '', 1 FROM seckill_orders WHERE order_id = ?",
        f"{SKU}~{'7' * 26}",
        bought[0].id,
    )
    report = shop.expect_wrong(unknown=1)
    assert ids(report, "unknown") == {f"{SKU}~{'7' * 26}"}
    assert report.total("accepted") == report.total("in_database") == 9


def test_a_deleted_order_record_is_an_order_unknown_to_the_ledger(shop: Shop) -> None:
    bought = shop.play()
    shop.redis.hdel(shop.key("orders"), bought[0].id)
    report = shop.expect_wrong(unknown=1)
    assert ids(report, "unknown") == {bought[0].id}
    assert "its orders" in report.items[0].faults[0]


def test_an_order_whose_record_and_row_are_gone_is_missed_by_its_number(shop: Shop) -> None:
    bought = shop.play()
    for order in bought[3:5]:
        shop.redis.hdel(shop.key("orders"), order.id)
        shop.database.run("DELETE FROM seckill_orders WHERE order_id = ?", order.id)
    report = shop.expect_wrong(missing=2)
    assert ids(report, "missing") == {f"{SKU}, epoch 1, numbers 4 to 5"}
    assert report.total("accepted") == 9


def test_the_last_orders_of_a_sale_can_be_missed_too(shop: Shop) -> None:
    shop.redis.hdel(shop.key("orders"), shop.buy().id)
    shop.redis.delete(shop.key("outbox"))
    assert ids(shop.expect_wrong(missing=1), "missing") == {f"{SKU}, epoch 1, number 1"}


def test_an_outbox_entry_deleted_before_its_delivery_is_a_missing_order(shop: Shop) -> None:
    shop.play()
    lost = shop.buy("late")
    shop.redis.delete(shop.key("outbox"))
    assert ids(shop.expect_wrong(missing=1), "missing") == {lost.id}


def test_a_lost_settlement_is_a_difference(shop: Shop) -> None:
    bought = shop.play()
    shop.settle(bought[2], State.PAID)
    shop.redis.delete(shop.key("outbox"))
    report = shop.expect_wrong(differing=1)
    assert report.examples["differing"] == [Example(bought[2].id, "ledger paid, database held")]


def test_a_state_that_the_database_invented_is_a_difference(shop: Shop) -> None:
    bought = shop.play()
    shop.database.run("UPDATE seckill_orders SET state = 'expired' WHERE order_id = ?", bought[0].id)
    report = shop.expect_wrong(differing=1)
    assert ids(report, "differing") == {bought[0].id}
    assert report.total("in_database") == 9


@pytest.mark.parametrize("change", ["quantity = quantity + 1", "buyer = 'mallory'", "seq = 99"])
def test_a_row_that_is_about_another_purchase_is_a_difference(shop: Shop, change: str) -> None:
    bought = shop.play()
    shop.database.run(f"UPDATE seckill_orders SET {change} WHERE order_id = ?", bought[1].id)
    assert ids(shop.expect_wrong(differing=1), "differing") == {bought[1].id}


def test_two_orders_with_one_number_are_duplicated(shop: Shop) -> None:
    bought = shop.play()
    record = json.loads(shop.redis.hget(shop.key("orders"), bought[1].id))
    again = f"{SKU}~{'7' * 26}"
    shop.redis.hset(shop.key("orders"), again, json.dumps(record))
    report = shop.expect_wrong(duplicated=1, missing=1)
    assert ids(report, "duplicated") <= {bought[1].id, again}
    assert ids(report, "missing") == {again}


def test_a_row_that_is_there_twice_is_duplicated(shop: Shop) -> None:
    bought = shop.play()
    shop.database.drop_constraints()
    shop.database.run(
        "INSERT INTO seckill_orders SELECT * FROM seckill_orders WHERE order_id = ?",
        bought[0].id,
    )
    report = shop.expect_wrong(duplicated=1)
    assert ids(report, "duplicated") == {bought[0].id}
    assert "the database's item of epoch 1 says" in report.items[0].faults[0]


def test_a_parked_order_has_its_place(shop: Shop) -> None:
    shop.play()
    shop.buy("late")
    [(entry_id, fields)] = shop.redis.xrange(shop.key("outbox"))
    shop.site.orders.park(Parked("x", "no such column", fields[b"event"], 1))
    shop.redis.xdel(shop.key("outbox"), entry_id)
    report = shop.expect_balanced(accepted=10, in_database=9, parked=1, missing=0)
    assert [example.seen for example in report.examples["parked"]] == ["ledger held, parked"]


def test_a_parked_settlement_explains_why_the_database_lags(shop: Shop) -> None:
    bought = shop.play()
    shop.settle(bought[2], State.PAID)
    [(entry_id, fields)] = shop.redis.xrange(shop.key("outbox"))
    shop.site.orders.park(Parked("x", "no such column", fields[b"event"], 1))
    shop.redis.xdel(shop.key("outbox"), entry_id)
    shop.expect_balanced(accepted=9, in_database=8, parked=1)


def test_a_refunded_order_rests_with_the_parked(shop: Shop) -> None:
    shop.play()
    order = shop.buy("late")
    [(entry_id, fields)] = shop.redis.xrange(shop.key("outbox"))
    shop.site.orders.park(Parked("x", "no such column", fields[b"event"], 1))
    shop.redis.xdel(shop.key("outbox"), entry_id)
    shop.settle(order, State.CANCELLED)
    [parked] = shop.site.orders.parked()
    assert shop.site.orders.refund(parked, State.CANCELLED, 2)
    shop.write()
    shop.expect_balanced(accepted=10, in_database=9, parked=1)


def test_a_parked_message_that_was_retried_has_to_be_in_the_database(shop: Shop) -> None:
    lost = shop.buy()
    [(_, fields)] = shop.redis.xrange(shop.key("outbox"))
    shop.site.orders.park(Parked("x", "no such column", fields[b"event"], 1))
    shop.redis.delete(shop.key("outbox"))
    [parked] = shop.site.orders.parked()
    shop.site.orders.resolve_parked(parked.id, 2)
    assert ids(shop.expect_wrong(missing=1), "missing") == {lost.id}


def test_a_late_payment_is_no_difference_whether_it_waits_or_is_parked(shop: Shop) -> None:
    bought = shop.play()
    shop.settle(bought[1], State.PAID)
    shop.expect_balanced(accepted=9, in_database=9)
    shop.write()
    shop.expect_balanced(accepted=9, in_database=9, parked=0)


# -- units


@pytest.mark.parametrize("field", ["free", "held", "paid", "total"])
def test_a_unit_off_in_the_ledgers_item_is_out_of_balance(shop: Shop, field: str) -> None:
    shop.play()
    shop.redis.hincrby(shop.key("item"), field, 1)
    report = shop.expect_wrong()
    assert "the ledger's total of" in report.items[0].faults[0]


def test_units_that_only_look_balanced_are_held_against_the_orders(shop: Shop) -> None:
    shop.play()
    shop.redis.hincrby(shop.key("item"), "held", 1)
    shop.redis.hincrby(shop.key("item"), "paid", -1)
    assert "its orders" in shop.expect_wrong().items[0].faults[0]


def test_units_off_in_the_databases_item_are_held_against_its_orders(shop: Shop) -> None:
    shop.play()
    shop.database.run("UPDATE seckill_items SET held = held + 1, paid = paid - 1")
    assert "the database's item of epoch 1 says" in shop.expect_wrong().items[0].faults[0]


def test_an_oversold_ledger_is_told_by_the_unit(shop: Shop) -> None:
    shop.play()
    shop.redis.hset(shop.key("item"), mapping={"total": 3, "free": 0})
    report = shop.expect_wrong(oversold=5)
    assert report.items[0].faults


def test_an_oversold_database_is_told_by_the_unit(shop: Shop) -> None:
    shop.play()
    shop.database.drop_constraints()
    shop.database.run("UPDATE seckill_items SET total = 6")
    report = shop.expect_wrong(oversold=2)
    assert report.items[0].faults == ()


def test_a_total_that_the_ledger_does_not_know_is_a_fault(shop: Shop) -> None:
    shop.play()
    shop.database.run("UPDATE seckill_items SET total = 101")
    assert shop.expect_wrong().items[0].faults == ("the database knows a total of 101, the ledger 100",)


# -- a ledger that is lost


def test_an_emptied_ledger_has_lost_every_order(shop: Shop) -> None:
    shop.play(9)
    shop.redis.flushall()
    report = shop.expect_wrong(unknown=9)
    assert len(report.examples["unknown"]) == 9


def test_a_lost_item_key_and_a_damaged_record_are_named_and_other_items_are_audited(shop: Shop) -> None:
    for sku in ("kettle", "lamp"):
        shop.open_sale(sku=sku)
        shop.play(3, sku=sku)
    shop.play(3)
    shop.redis.delete(shop.key("item"))
    shop.redis.hset(shop.key("orders", "lamp"), shop.buy(sku="lamp").id, "{")
    faults = {item.item: item.faults for item in shop.audit().items}
    assert faults["kettle"] == ()
    assert [fault.startswith("the ledger can't be read: order") for fault in faults["lamp"]] == [True]
    assert [fault.startswith("the ledger can't be read: there are orders") for fault in faults[SKU]] == [True]


def test_an_outbox_entry_that_holds_no_event_is_named(shop: Shop) -> None:
    shop.play(3)
    entry_id = shop.redis.xadd(shop.key("outbox"), {"event": "{"}).decode()
    assert shop.expect_wrong().items[0].faults == (f"outbox entry {entry_id} holds no event",)
