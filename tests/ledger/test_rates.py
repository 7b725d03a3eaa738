"""The limiter, as a table with a time column: token buckets of a buyer and of a client's address."""

from __future__ import annotations

import pytest
from ledger_words import NOW_MS, Sale

from seckill_sidecar.model import Rate

pytestmark = pytest.mark.gevent_too

Row = tuple[float, str, float]
"""When (seconds after the start), what is answered, after how many seconds to ask again."""

TABLES: dict[str, tuple[Rate, list[Row]]] = {
    "a burst at once, then one by one": (
        Rate(count=1, per=60.0, burst=3),
        [
            (0, "ok", 0),
            (0, "ok", 0),
            (0, "ok", 0),
            (0, "wait", 60.0),
            (24, "wait", 36.0),
            (59.999, "wait", 0.001),
            (60, "ok", 0),
            (60, "wait", 60.0),
        ],
    ),
    "a bucket fills no higher than its burst": (
        Rate(count=2, per=60.0, burst=2),
        [
            (0, "ok", 0),
            (0, "ok", 0),
            (3600, "ok", 0),
            (3600, "ok", 0),
            (3600, "wait", 30.0),
        ],
    ),
    "a refusal costs no token": (
        Rate(count=1, per=60.0, burst=1),
        [(0, "ok", 0), *[(at, "wait", 60.0 - at) for at in range(0, 60, 10)], (60, "ok", 0)],
    ),
    "part of a millisecond is rounded up": (
        Rate(count=3, per=100.0, burst=1),
        [(0, "ok", 0), (0, "wait", 33.334), (33.333, "wait", 0.001), (33.333333, "ok", 0)],
    ),
    "a clock that goes back costs one interval of waiting at most": (
        Rate(count=1, per=60.0, burst=2),
        [
            (86_400, "ok", 0),
            (86_400, "ok", 0),
            (0, "wait", 60.0),
            (30, "wait", 60.0),
            (86_459, "wait", 1.0),
            (86_460, "ok", 0),
        ],
    ),
    "a clock that goes back gives nothing away": (
        Rate(count=1, per=60.0, burst=2),
        [(60, "ok", 0), (0, "wait", 60.0), (30, "wait", 30.0), (60, "ok", 0), (60, "wait", 60.0)],
    ),
    "once a year, very many at once": (
        Rate(count=1, per=366 * 86_400.0, burst=1_000_000_000),
        [(0, "ok", 0), (0, "ok", 0)],
    ),
}


def keep_buckets(sale: Sale) -> None:
    """Redis forgets full buckets by its own clock, which doesn't stand still as the test's does."""
    for bucket in sale.ask("KEYS", "*:rate:*"):
        sale.ask("PERSIST", bucket)


@pytest.mark.parametrize("kind", ["buyer_rate", "address_rate"])
@pytest.mark.parametrize("table", TABLES)
def test_a_bucket_follows_its_table(sale: Sale, table: str, kind: str) -> None:
    rate, rows = TABLES[table]
    sale.under(**{kind: rate})
    sale.open_sale(1000, per_buyer=1000)
    for at, answer, retry_after in rows:
        sale.set_time(NOW_MS + 1000 * at)
        decision = sale.buy("ann", address="10.0.0.1")
        scope = kind.removesuffix("_rate") if answer == "wait" else ""
        verdict = "rate_limited" if answer == "wait" else "accepted"
        assert (at, decision.verdict, decision.retry_after, decision.scope) == (at, verdict, retry_after, scope)
        keep_buckets(sale)
    sale.expect_balanced()


def test_buyers_and_addresses_have_buckets_of_their_own_for_each_item(sale: Sale) -> None:
    sale.under(buyer_rate=Rate(1, 60.0, 1), address_rate=Rate(1, 60.0, 2))
    sale.set_time(NOW_MS)
    sale.open_sale()
    sale.open_sale(sku="boot")
    asked = [("ann", "a"), ("ann", "b"), ("ben", "a"), ("cem", "a"), ("cem", "b")]
    decisions = [sale.buy(buyer, address=address) for buyer, address in asked]
    assert [decision.scope or str(decision.verdict) for decision in decisions] == [
        "accepted",
        "buyer",
        "accepted",
        "address",
        "accepted",
    ]
    assert sale.buy("ann", sku="boot", address="a").verdict == "accepted"


def test_a_purchase_that_one_bucket_refuses_spends_nothing_of_the_other(sale: Sale) -> None:
    sale.under(buyer_rate=Rate(1, 60.0, 1), address_rate=Rate(1, 60.0, 1))
    sale.set_time(NOW_MS)
    sale.open_sale()
    assert sale.buy("ann", address="a").verdict == "accepted"
    before = sale.everything()
    assert sale.buy("ben", address="a").scope == "address"
    assert sale.buy("ann", address="b").scope == "buyer"
    assert sale.everything() == before
    assert sale.buy("ben", address="b").verdict == "accepted"


def test_without_a_rate_nothing_is_counted_or_kept(sale: Sale) -> None:
    sale.open_sale(100, per_buyer=100)
    assert {sale.buy(address="a").verdict for _ in range(30)} == {"accepted"}
    assert not [key for key in sale.everything() if b":rate:" in key]


def test_a_replay_costs_no_token_and_a_sold_out_or_limited_one_does(sale: Sale) -> None:
    sale.under(buyer_rate=Rate(1, 60.0, 3))
    sale.set_time(NOW_MS)
    sale.open_sale(2, per_buyer=3)
    order = sale.order_of(key="k")
    assert [sale.buy(key="k").verdict for _ in range(5)] == ["replayed"] * 5
    assert sale.buy(order_id=order.id).verdict == "accepted"
    assert [sale.buy(quantity=quantity).verdict for quantity in (9, 2, 1)] == [
        "limit_reached",
        "sold_out",
        "rate_limited",
    ]


def test_a_bucket_is_forgotten_when_it_is_full_again(sale: Sale) -> None:
    sale.under(buyer_rate=Rate(1, 60.0, 5))
    sale.open_sale()
    sale.order_of()
    sale.order_of()
    [bucket] = [key for key in sale.everything() if b":rate:buyer:ann" in key]
    assert 110_000 < sale.ask("PTTL", bucket) <= 120_000


@pytest.mark.parametrize("kept", ["nan", "inf", "1e300", "-5", "x", "9" * 400, ""])
def test_a_damaged_bucket_counts_as_empty_or_full_and_heals(sale: Sale, kept: str) -> None:
    sale.under(buyer_rate=Rate(1, 1.0, 2))
    sale.set_time(NOW_MS)
    sale.open_sale()
    sale.ask("SET", sale.key("rate:buyer:ann"), kept)
    decision = sale.buy()
    assert decision.verdict == "accepted" or decision.retry_after == 1.0
    sale.ask("SET", sale.key("rate:buyer:ann"), kept)
    sale.expect_balanced()


def test_a_bucket_so_deep_that_redis_could_not_keep_it_sells_whole_orders_only(sale: Sale) -> None:
    sale.under(buyer_rate=Rate(1, 366 * 86_400.0, 1_000_000_000))
    sale.set_time(NOW_MS)
    sale.open_sale()
    sale.ask("SET", sale.key("rate:buyer:ann"), "1" + "0" * 22)
    assert sale.buy().verdict == "accepted"
    sale.expect_balanced()
