"""Look-ups with a replica of the database: it spares the database, and however it fails or lags, no answer is false."""

from __future__ import annotations

import pytest
from replica_words import DATABASE, Pair, accepted, paid, sell_one, site_of

from seckill_sidecar.errors import BreakerOpen, StoreError
from seckill_sidecar.model import Order, State
from seckill_sidecar.wiring import Site


def look_up(site: Site, order_id: str) -> Order | None:
    return site.look_up.find(order_id, seconds=8.0, final=False)


def state(site: Site, order_id: str) -> State | None:
    """As who looks it up is told."""
    order = look_up(site, order_id)
    return order.state if order is not None else None


def test_a_settled_order_is_told_by_the_replica_alone(pair: Pair, site: Site) -> None:
    event = accepted()
    site.orders.write([event, paid(event)])
    pair.catch_up()
    pair.primary.kill()
    assert state(site, event.order.id) is State.PAID


def test_what_the_replica_has_as_held_may_be_paid_by_now(pair: Pair, site: Site) -> None:
    event = accepted()
    site.orders.write([event])
    pair.catch_up()
    pair.fall_behind()
    site.orders.write([paid(event)])
    assert site.replica is not None
    older = site.replica.order(event.order.id)
    assert older is not None
    assert older.state is State.HELD
    assert state(site, event.order.id) is State.PAID


def test_what_the_replica_does_not_know_yet_is_no_missing_order(pair: Pair, site: Site) -> None:
    pair.fall_behind()
    event = accepted()
    site.orders.write([event])
    assert state(site, event.order.id) is State.HELD


def test_what_only_a_lagging_replica_says_is_not_told(pair: Pair, site: Site) -> None:
    """Neither that an order is held, nor that there is none, while the database can't be asked."""
    event = accepted()
    site.orders.write([event])
    pair.catch_up()
    pair.primary.kill()
    for order_id in (event.order.id, accepted().order.id):
        with pytest.raises(StoreError):
            look_up(site, order_id)


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_without_the_replica_the_database_answers(pair: Pair, site: Site, how: str) -> None:
    event, unknown = accepted(), accepted()
    site.orders.write([event, paid(event)])
    getattr(pair.replica, how)()
    assert state(site, event.order.id) is State.PAID
    with pytest.raises(StoreError):  # the ledger can't be asked
        look_up(site, unknown.order.id)


def test_a_replica_that_fails_is_left_alone_by_its_own_breaker(pair: Pair) -> None:
    site = site_of(pair, breakers={"replica": {"minimum": 2}})
    event = accepted()
    site.orders.write([event, paid(event)])
    pair.replica.kill()
    assert [state(site, event.order.id) for _ in range(4)] == [State.PAID] * 4
    with pytest.raises(BreakerOpen), site.breaker("replica").calling():
        pass
    with site.breaker("database").calling():
        pass


def test_a_replica_that_does_not_let_us_in_is_as_good_as_none(pair: Pair) -> None:
    pair.primary.sql("CREATE USER IF NOT EXISTS reader@'%' IDENTIFIED BY 'right'")
    pair.catch_up()
    site = site_of(pair, replica=f"mysql://reader:wrong@127.0.0.1:{pair.replica.port}/{DATABASE}")
    event = accepted()
    site.orders.write([event, paid(event)])
    assert state(site, event.order.id) is State.PAID


def test_a_replica_without_our_tables_is_as_good_as_none(pair: Pair) -> None:
    pair.primary.sql("CREATE DATABASE IF NOT EXISTS other")
    pair.catch_up()
    site = site_of(pair, replica=f"{pair.replica.url}other")
    event = accepted()
    site.orders.write([event, paid(event)])
    assert state(site, event.order.id) is State.PAID


def test_the_ledger_is_asked_before_both(pair: Pair, redis_url: str) -> None:
    site = site_of(pair, redis=redis_url)
    event = accepted()
    site.orders.write([event, paid(event)])
    pair.catch_up()
    for server in (pair.primary, pair.replica):
        server.kill()
    sold = sell_one(site)
    assert state(site, sold.id) is State.HELD


def test_what_decides_asks_the_database_itself(pair: Pair, redis_url: str) -> None:
    """The fence's witness, an audit, a rebuild: a replica that lags would let an older ledger pass."""
    site = site_of(pair, redis=redis_url)
    pair.fall_behind()
    event = accepted()
    site.orders.write([event])
    assert site.orders.high_water(event.order.item) == site.looked_up_orders.high_water(event.order.item)
    assert site.looked_up_orders.high_water(event.order.item)[1] == event.chain
