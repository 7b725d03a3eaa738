"""The cap of orders that one client address may have of an item."""

from __future__ import annotations

import pytest
from ledger_words import NOW_MS, SKU, Sale, new_order_id, run_at_once, within

from seckill_sidecar.errors import LedgerUntrusted
from seckill_sidecar.model import Decision, Item, Rate, Verdict

pytestmark = pytest.mark.gevent_too

HERE, THERE = "192.0.2.7", "2001:db8:0:1::/64"
HOLD_MS = 1000


@pytest.fixture
def sale(sale: Sale) -> Sale:
    """Two orders an address, at a moment that tests can move."""
    sale.set_time(NOW_MS)
    sale.under(orders_per_address=2, address_key=b"key").open_sale(hold_ms=HOLD_MS)
    return sale


def counts(sale: Sale) -> list[int]:
    return sorted(int(count) for count in sale.ask("HVALS", sale.key("addresses")))


def test_an_address_has_as_many_orders_as_it_may_whoever_buys(sale: Sale) -> None:
    sale.order_of("ann", address=HERE)
    sale.order_of("bob", 3, address=HERE)
    refused = sale.buy("cid", address=HERE)
    assert (refused.verdict, refused.scope) == (Verdict.LIMIT_REACHED, "address")
    sale.order_of("cid", address=THERE)
    assert counts(sale) == [1, 2]


def test_the_buyers_own_limit_is_named_first(sale: Sale) -> None:
    for _ in range(2):
        sale.order_of("ann", 5, address=HERE)
    assert sale.buy("ann", address=HERE).scope == "buyer"


@pytest.mark.parametrize("state", ["cancelled", "expired"])
def test_an_order_that_stands_no_more_is_given_back(sale: Sale, state: str) -> None:
    first, second = (sale.order_of(address=HERE) for _ in range(2))
    sale.set_time(NOW_MS + HOLD_MS)
    sale.settle(first, state)
    assert counts(sale) == [1]
    sale.order_of(address=HERE)
    sale.settle(second, state)
    sale.settle(second, state)
    assert counts(sale) == [1], "once"


def test_a_paid_order_counts_for_good(sale: Sale) -> None:
    for order in [sale.order_of(address=HERE) for _ in range(2)]:
        sale.settle(order, "paid")
    assert sale.buy("bob", address=HERE).verdict is Verdict.LIMIT_REACHED


def test_an_order_paid_too_late_is_not_given_back_twice(sale: Sale) -> None:
    late = sale.order_of(address=HERE)
    sale.order_of("bob", address=HERE)
    sale.settle(late, "cancelled")
    assert sale.settle(late, "paid").outcome == "late"
    assert counts(sale) == [1]


def test_those_who_come_at_once_have_no_more_together(sale: Sale) -> None:
    told: list[Decision] = []
    run_at_once(*[lambda n=n: told.append(sale.buy(f"b{n}", address=HERE)) for n in range(6)])  # type: ignore[misc]
    assert sorted(decision.verdict for decision in told) == ["accepted"] * 2 + ["limit_reached"] * 4
    assert sale.expect_balanced().held == 2


def test_a_purchase_that_asks_again_counts_once(sale: Sale) -> None:
    order_id = new_order_id()
    for _ in range(3):
        assert sale.buy(order_id=order_id, address=HERE, key="k").verdict is Verdict.ACCEPTED
    assert sale.buy(address=HERE, key="k").verdict is Verdict.REPLAYED
    assert counts(sale) == [1]


def test_the_address_itself_is_nowhere_in_the_books(sale: Sale) -> None:
    sale.order_of(address=HERE)
    assert HERE not in repr({name: value for name, value in sale.everything().items() if b":rate:" not in name})
    (mark,) = sale.ask("HKEYS", sale.key("addresses"))
    sale.under(orders_per_address=2, address_key=b"another")
    sale.order_of(address=HERE)
    assert mark in sale.ask("HKEYS", sale.key("addresses"))
    assert counts(sale) == [1, 1]


def test_an_address_that_nobody_knows_is_not_counted(sale: Sale) -> None:
    for n in range(4):
        sale.order_of(f"b{n}")
    assert counts(sale) == []


def test_without_a_cap_nothing_is_counted(sale: Sale) -> None:
    sale.under()
    order = sale.order_of(address=HERE)
    assert counts(sale) == []
    assert b"address" not in sale.ask("HGET", sale.key("orders"), order.id)
    sale.settle(order, "cancelled")


def test_another_epoch_counts_anew(sale: Sale) -> None:
    for order in [sale.order_of(address=HERE) for _ in range(2)]:
        sale.settle(order, "paid")
    sale.ledger.load(Item(SKU, 5), within(), replaces=1)
    sale.order_of(address=HERE)
    assert counts(sale) == [1]


def test_who_is_over_the_limit_spends_tokens(sale: Sale) -> None:
    sale.under(orders_per_address=1, address_key=b"key", address_rate=Rate(1, 60.0, 2))
    sale.order_of(address=HERE)
    assert sale.buy("bob", address=HERE).verdict is Verdict.LIMIT_REACHED
    assert sale.buy("bob", address=HERE).verdict is Verdict.RATE_LIMITED


def test_counts_that_are_none_change_nothing(sale: Sale) -> None:
    order = sale.order_of(address=HERE)
    (mark,) = sale.ask("HKEYS", sale.key("addresses"))
    sale.ask("HSET", sale.key("addresses"), mark, "many")
    before = sale.everything()
    assert sale.buy("bob", address=HERE).verdict is Verdict.UNAVAILABLE
    with pytest.raises(LedgerUntrusted):
        sale.settle(order, "cancelled")
    assert sale.everything() == before
