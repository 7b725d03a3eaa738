"""What an operator does to an item: load, replace, add, switch, look."""

from __future__ import annotations

import pytest
from ledger_words import NOW_MS, SKU, Sale, within

from seckill_sidecar.errors import LedgerUntrusted, UsageError
from seckill_sidecar.model import Item, ItemView, Verdict

pytestmark = pytest.mark.gevent_too

ITEM = Item(SKU, 7, opens_at_ms=NOW_MS, closes_at_ms=NOW_MS + 1, per_buyer=3, hold_ms=60_000)


def load(sale: Sale, total: int = 7, replaces: int | None = None, epoch: int = 1) -> ItemView:
    return sale.ledger.load(Item(SKU, total, per_buyer=3), within(), replaces=replaces, epoch=epoch)


def test_a_loaded_item_is_what_was_asked_for(sale: Sale) -> None:
    view = sale.ledger.load(ITEM, within())
    assert view == ItemView(
        SKU, 7, 7, 0, 0, NOW_MS, NOW_MS + 1, 3, 60_000, epoch=1, seq=0, status="open", digest="0" * 40
    )
    assert sale.item() == view
    assert sale.ledger.items(within()) == [SKU]


def test_an_item_may_stay_open_until_the_end_of_the_calendar(sale: Sale) -> None:
    sale.open_sale(closes_at_ms=253_402_300_799_999)
    assert sale.buy().verdict is Verdict.ACCEPTED


def test_items_are_listed_in_order_and_a_missing_one_is_none(sale: Sale) -> None:
    for sku in ("b", "a", "c"):
        sale.open_sale(sku=sku)
    assert sale.ledger.items(within()) == ["a", "b", "c"]
    assert sale.ledger.item("d", within()) is None
    assert list(sale.ledger.orders("d")) == []


def test_an_item_without_orders_can_be_loaded_again_under_a_new_epoch(sale: Sale) -> None:
    load(sale, 7)
    again = load(sale, 5)
    assert (again.total, again.free, again.epoch) == (5, 5, 2)


def test_an_item_with_orders_is_not_loaded_over(sale: Sale) -> None:
    load(sale)
    sale.settle(sale.order_of(), "cancelled")
    before = sale.everything()
    for replaces in (None, 0, 2):
        with pytest.raises(UsageError, match="--replaces 1"):
            load(sale, replaces=replaces)
    assert sale.everything() == before


def test_an_item_with_units_on_hold_is_not_even_replaced(sale: Sale) -> None:
    load(sale)
    sale.order_of(quantity=2)
    before = sale.everything()
    with pytest.raises(UsageError, match="are still held"):
        load(sale, replaces=1)
    assert sale.everything() == before


def test_a_replaced_item_starts_anew_and_keeps_the_old_books_beside_it(sale: Sale) -> None:
    load(sale)
    paid, cancelled = sale.order_of("ann", 2, key="k"), sale.order_of("ben")
    sale.settle(paid, "paid")
    sale.settle(cancelled, "cancelled")
    view = load(sale, 4, replaces=1)
    assert (view.total, view.free, view.paid, view.epoch, view.seq) == (4, 4, 0, 2, 0)
    assert sale.orders() == {}
    assert len(sale.outbox()) == 4
    assert set(sale.ask("HKEYS", sale.key("orders:1"))) == {paid.id.encode(), cancelled.id.encode()}
    assert sale.ask("HGETALL", sale.key("buyers:1")) == [b"ann", b"2"]
    assert sale.ask("HVALS", sale.key("keys:1")) == [paid.id.encode()]
    assert sale.order_of("ann", 3).seq == 1
    sale.expect_balanced()


def test_an_epoch_is_never_below_what_the_caller_has_seen(sale: Sale) -> None:
    assert load(sale, epoch=7).epoch == 7
    assert load(sale, epoch=3).epoch == 8
    sale.settle(sale.order_of(), "paid")
    assert load(sale, replaces=8, epoch=12).epoch == 12


def test_added_units_are_for_sale_and_count_in_later_events(sale: Sale) -> None:
    sale.open_sale(2)
    sale.order_of("ann", 2)
    view = sale.add(3)
    assert (view.total, view.free, view.held) == (5, 3, 2)
    sale.order_of("ben", 3)
    assert [event.total for event in sale.outbox()] == [2, 5]
    sale.expect_balanced()


@pytest.mark.parametrize("units", [-1, -5, 1.5, "nan", "0x10", "", 10**15])
def test_only_whole_numbers_are_added(sale: Sale, units: int) -> None:
    sale.open_sale()
    before = sale.everything()
    with pytest.raises(LedgerUntrusted, match="units"):
        sale.add(units)
    assert sale.everything() == before


@pytest.mark.parametrize("field", ["total", "opens_at_ms", "closes_at_ms", "per_buyer", "hold_ms"])
@pytest.mark.parametrize("value", [-1, 1.5, "nan", "0x10", ""])
def test_only_whole_numbers_are_loaded(sale: Sale, field: str, value: int) -> None:
    with pytest.raises(LedgerUntrusted, match="argument"):
        sale.ledger.load(Item(**{"sku": SKU, "total": 1, field: value}), within())
    assert sale.ledger.item(SKU, within()) is None


def test_an_unknown_status_is_not_set(sale: Sale) -> None:
    sale.open_sale()
    before = sale.everything()
    with pytest.raises(LedgerUntrusted, match="status"):
        sale.switch("ajar")
    assert sale.everything() == before


def test_an_item_that_nobody_loaded_can_not_be_changed(sale: Sale) -> None:
    for change in (lambda: sale.add(1), lambda: sale.switch("open")):
        with pytest.raises(UsageError, match="load it first"):
            change()
    assert sale.everything() == {}


def test_an_item_is_listed_before_it_sells_so_that_its_orders_can_not_be_overlooked(sale: Sale) -> None:
    sale.ask("SET", sale.key("item"), "not a hash")
    with pytest.raises(LedgerUntrusted):
        sale.open_sale()
    assert sale.ledger.items(within()) == [SKU]


def test_orders_are_streamed_however_many_there_are(sale: Sale) -> None:
    sale.open_sale(3000, per_buyer=3000)
    bought = {order.id: order for order in (sale.order_of() for _ in range(1200))}
    assert sale.orders() == bought


def test_a_server_fit_to_hold_stock_passes_the_check(sale: Sale) -> None:
    assert sale.ledger.check(within()) == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
def test_a_server_that_could_delete_stock_does_not(sale: Sale, policy: str) -> None:
    sale.ask("CONFIG", "SET", "maxmemory-policy", policy)
    try:
        [problem] = sale.ledger.check(within())
    finally:
        sale.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert policy in problem
