"""A ledger that can't be trusted refuses, says so, and is left exactly as it was found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ledger_words import PREFIX, SKU, Sale, new_order_id, within

from seckill_sidecar.errors import LedgerUntrusted
from seckill_sidecar.model import Purchase, Rate, Verdict

pytestmark = pytest.mark.gevent_too

RATE = Rate(count=1, per=1.0, burst=100)
NUMBERS = ("total", "free", "held", "paid", "opens_at", "closes_at", "per_buyer", "hold", "epoch", "seq")
NO_NUMBERS = ("nan", "inf", "0x10", " 1e3 ", "1e3", "-1", "1.0", "", "1 ", "٣", "9" * 400, "1" + "0" * 15)


def expect_refused(sale: Sale, attempt: Callable[[], object]) -> None:
    """``unavailable``, as a verdict or an error, and nothing changed but what a key means."""
    before = without_bindings(sale)
    try:
        answer = attempt()
    except LedgerUntrusted:
        pass
    else:
        assert getattr(answer, "verdict", answer) is Verdict.UNAVAILABLE
    assert without_bindings(sale) == before


def without_bindings(sale: Sale) -> dict[bytes, object]:
    """All keys but those that say what an idempotency key means; saying it again and again does no harm."""
    return {key: value for key, value in sale.everything().items() if b":binding:" not in key}


def open_with_an_order(sale: Sale) -> str:
    """A sale with one order of two units by ann, under the key ``k``; its id."""
    sale.open_sale()
    return sale.order_of("ann", 2, key="k").id


# -- the item's own key ------------------------------------------------------------------------------


def test_an_item_key_that_is_gone_is_no_unknown_item(sale: Sale) -> None:
    order_id = open_with_an_order(sale)
    sale.ask("DEL", sale.key("item"))
    expect_refused(sale, lambda: sale.buy("ben"))
    expect_refused(sale, lambda: sale.settle(order_id))
    expect_refused(sale, sale.open_sale)
    with pytest.raises(LedgerUntrusted, match="missing"):
        sale.order(order_id)


@pytest.mark.parametrize("part", ["buyers", "orders", "keys", "due", "outbox"])
def test_a_single_key_that_is_left_of_an_item_makes_it_suspect(sale: Sale, part: str) -> None:
    open_with_an_order(sale)
    for gone in {"item", "buyers", "orders", "keys", "due", "outbox"} - {part}:
        sale.ask("DEL", sale.key(gone))
    expect_refused(sale, lambda: sale.buy("ben"))


@pytest.mark.parametrize("field", [*NUMBERS, "status"])
def test_an_item_without_one_of_its_fields_sells_nothing(sale: Sale, field: str) -> None:
    open_with_an_order(sale)
    sale.ask("HDEL", sale.key("item"), field)
    expect_refused(sale, lambda: sale.buy("ben"))
    with pytest.raises(LedgerUntrusted, match=field):
        sale.item()


@pytest.mark.parametrize("field", NUMBERS)
def test_a_field_that_is_no_plain_number_stops_the_sale(sale: Sale, field: str) -> None:
    open_with_an_order(sale)
    for value in NO_NUMBERS:
        sale.ask("HSET", sale.key("item"), field, value)
        expect_refused(sale, lambda: sale.buy("ben"))


@pytest.mark.parametrize("field", ["total", "free", "held", "paid", "epoch"])
def test_settling_and_adding_read_the_item_as_strictly(sale: Sale, field: str) -> None:
    order_id = open_with_an_order(sale)
    for value in NO_NUMBERS:
        sale.ask("HSET", sale.key("item"), field, value)
        expect_refused(sale, lambda: sale.settle(order_id, "paid"))
        expect_refused(sale, lambda: sale.settle(order_id, "cancelled"))
        if field != "epoch":
            expect_refused(sale, lambda: sale.add(5))


@pytest.mark.parametrize("field", ["total", "epoch", "seq", "hold"])
def test_numbers_too_large_for_an_event_stop_the_sale(sale: Sale, field: str) -> None:
    sale.open_sale()
    fields = {"total": (field, "9" * 15, "free", "9" * 15)}
    sale.ask("HSET", sale.key("item"), *fields.get(field, (field, "9" * 15)))
    expect_refused(sale, sale.buy)


@pytest.mark.parametrize("status", ["", "OPEN", "shut"])
def test_a_status_that_nobody_knows_is_not_taken_for_closed(sale: Sale, status: str) -> None:
    open_with_an_order(sale)
    sale.ask("HSET", sale.key("item"), "status", status)
    expect_refused(sale, lambda: sale.buy("ben"))
    sale.switch("open")
    sale.order_of("ben")


@pytest.mark.parametrize(("field", "value"), [("free", 9), ("held", 1), ("paid", 1), ("total", 11)])
def test_an_item_out_of_balance_sells_nothing_and_takes_no_more_stock(sale: Sale, field: str, value: int) -> None:
    open_with_an_order(sale)
    sale.ask("HSET", sale.key("item"), field, value)
    assert not sale.item().balanced
    expect_refused(sale, lambda: sale.buy("ben"))
    expect_refused(sale, lambda: sale.add(1))


# -- the keys beside it ------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["string", "list"])
@pytest.mark.parametrize(
    "part", ["item", "buyers", "orders", "keys", "due", "outbox", "sealed", "rate:buyer:ben", "rate:address:10.0.0.1"]
)
def test_a_key_of_the_wrong_type_is_refused_before_the_first_write(sale: Sale, part: str, value: str) -> None:
    order_id = open_with_an_order(sale)
    sale.under(buyer_rate=RATE, address_rate=RATE)
    sale.ask("DEL", sale.key(part))
    if value == "list" or part.startswith("rate"):
        sale.ask("LPUSH", sale.key(part), "x")
    else:
        sale.ask("SET", sale.key(part), "x")
    expect_refused(sale, lambda: sale.buy("ben", address="10.0.0.1"))
    expect_refused(sale, lambda: sale.buy("ben", 2, key="other", address="10.0.0.1"))
    if part in ("item", "buyers", "orders", "due", "outbox"):
        expect_refused(sale, lambda: sale.settle(order_id, "cancelled"))
    if part in ("orders", "sealed"):
        expect_refused(sale, lambda: sale.seal(new_order_id()))


def test_a_wrong_typed_index_or_binding_is_refused_too(sale: Sale) -> None:
    open_with_an_order(sale)
    [binding] = sale.ask("KEYS", f"{PREFIX}:binding:*")
    for key in (binding, f"{PREFIX}:items"):
        sale.ask("DEL", key)
        sale.ask("LPUSH", key, "x")
    expect_refused(sale, lambda: sale.buy("ann", 2, key="k"))
    expect_refused(sale, lambda: sale.open_sale(sku="boot"))
    with pytest.raises(LedgerUntrusted):
        sale.ledger.items(within())


@pytest.mark.parametrize("units", ["nan", "0x1", "-1", "1e0", "", "9" * 30])
def test_units_of_a_buyer_that_are_no_number_stop_this_buyer(sale: Sale, units: str) -> None:
    order_id = open_with_an_order(sale)
    sale.ask("HSET", sale.key("buyers"), "ann", units)
    expect_refused(sale, sale.buy)
    expect_refused(sale, lambda: sale.settle(order_id, "cancelled"))
    sale.order_of("ben")


def test_units_with_leading_zeros_leave_no_half_made_order(sale: Sale) -> None:
    order_id = open_with_an_order(sale)
    sale.ask("HSET", sale.key("buyers"), "ann", "0002")
    sale.order_of("ann", 3)
    sale.expect_balanced()
    sale.settle(order_id, "cancelled")
    assert sale.expect_balanced().held == 3


@pytest.mark.parametrize("units", [None, "1"])
def test_an_order_is_not_settled_against_a_buyer_who_has_too_few_units(sale: Sale, units: str | None) -> None:
    order_id = open_with_an_order(sale)
    sale.ask("HDEL", sale.key("buyers"), "ann")
    if units:
        sale.ask("HSET", sale.key("buyers"), "ann", units)
    for state in ("paid", "cancelled"):
        expect_refused(sale, lambda state=state: sale.settle(order_id, state))


def test_an_item_that_holds_fewer_units_than_its_orders_settles_none(sale: Sale) -> None:
    order_id = open_with_an_order(sale)
    sale.ask("HSET", sale.key("item"), "held", 1, "free", 9)
    for state in ("paid", "cancelled"):
        expect_refused(sale, lambda state=state: sale.settle(order_id, state))


DAMAGED_RECORDS = [
    "",
    "no JSON",
    "null",
    "5",
    "[]",
    "{}",
    '{"state":"held"}',
    '{"state":"held","buyer":"ann","quantity":"2","seq":1,"at":1,"due":1,"no":1}',
    '{"state":"held","buyer":"ann","quantity":2,"seq":1,"at":1,"no":1}',
    '{"state":"held","buyer":5,"quantity":2,"at":1,"due":1,"no":1}',
    '{"state":"lost","buyer":"ann","quantity":2,"seq":null,"at":1,"due":1,"no":1}',
]


@pytest.mark.parametrize("record", DAMAGED_RECORDS)
def test_a_damaged_order_is_neither_answered_nor_settled(sale: Sale, record: str) -> None:
    order_id = open_with_an_order(sale)
    sale.ask("HSET", sale.key("orders"), order_id, record)
    expect_refused(sale, lambda: sale.buy("ann", 2, order_id=order_id))
    expect_refused(sale, lambda: sale.settle(order_id, "cancelled"))
    for look in (lambda: sale.order(order_id), sale.orders):
        with pytest.raises(LedgerUntrusted):
            look()


def test_a_key_whose_order_is_gone_is_not_bought_again(sale: Sale) -> None:
    order_id = open_with_an_order(sale)
    sale.ask("HDEL", sale.key("orders"), order_id)
    expect_refused(sale, lambda: sale.buy("ann", 2, key="k"))


@pytest.mark.parametrize("field", [b"\xff", b"nonsense"])
def test_a_field_that_nobody_wrote_does_not_get_out_as_a_foreign_error(sale: Sale, field: bytes) -> None:
    order_id = open_with_an_order(sale)
    sale.ask("HSET", sale.key("orders"), field, b"\xff")
    with pytest.raises(LedgerUntrusted):
        sale.orders()
    sale.ask("HSET", sale.key("item"), "status", b"\xff")
    with pytest.raises(LedgerUntrusted):
        sale.item()
    expect_refused(sale, lambda: sale.buy("ben"))
    assert sale.order(order_id) is not None


def test_a_hold_that_is_no_number_is_refused(sale: Sale) -> None:
    sale.open_sale()
    for hold in ("nan", -1, "0x10", 1.5, 10**15):
        purchase = Purchase(new_order_id(), SKU, "ann", 1, hold_ms=hold)  # type: ignore[arg-type]
        expect_refused(sale, lambda purchase=purchase: sale.ledger.reserve(purchase, within()))


# -- no room -----------------------------------------------------------------------------------------


def test_a_full_outbox_refuses_before_the_first_write(sale: Sale) -> None:
    sale.under(outbox_bound=2)
    sale.open_sale()
    first = sale.buy()
    sale.order_of()
    expect_refused(sale, sale.buy)
    sale.ledger.handed_off(SKU, [first.outbox_id], within())
    assert sale.buy().verdict is Verdict.ACCEPTED


def test_a_full_outbox_keeps_nobody_from_settling(sale: Sale) -> None:
    sale.under(outbox_bound=1)
    sale.open_sale()
    sale.settle(sale.order_of(), "paid")
    assert sale.expect_balanced().paid == 1


def test_a_stream_that_can_take_no_more_entries_changes_nothing(sale: Sale) -> None:
    order_id = open_with_an_order(sale)
    largest = 2**64 - 1
    sale.ask("XADD", sale.key("outbox"), f"{largest}-{largest}", "event", "x")
    sale.under(buyer_rate=RATE)
    expect_refused(sale, lambda: sale.buy("ben"))
    for state in ("paid", "cancelled"):
        expect_refused(sale, lambda state=state: sale.settle(order_id, state))
