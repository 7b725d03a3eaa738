"""Everybody who waits in one process: asked for together, told once, and never too many."""

from __future__ import annotations

from typing import cast

import pytest
from results_words import Store, hub_of, order
from stack import eventually

from seckill_sidecar.adapters.breaker import StoreBreaker
from seckill_sidecar.clock import ManualClock, SystemClock
from seckill_sidecar.gate.results.gathered import Gathered
from seckill_sidecar.gate.results.hub import CHUNK, Full, Hub, Stopping
from seckill_sidecar.gate.results.pace import Pace
from seckill_sidecar.gate.results.sources import ledger_source, replica_first
from seckill_sidecar.model import State
from seckill_sidecar.model.orders import restated
from seckill_sidecar.ports import Ledger, OrdersDb
from seckill_sidecar.settings.schema import BreakerSettings

pytestmark = pytest.mark.gevent_too


class Register:
    """A ledger of which only this is asked."""

    def __init__(self, store: Store) -> None:
        self.orders_named = lambda _, order_ids: store.ask(order_ids)


class Replica:
    """An orders database of which only this is asked."""

    def __init__(self, store: Store) -> None:
        self.orders_named = store.ask


def test_all_orders_are_asked_for_in_a_few_questions() -> None:
    hub, store = hub_of(most=2 * CHUNK), Store()
    orders = [order() for _ in range(CHUNK + 1)]
    waiters = [hub.join(one.id) for one in orders]
    store.put(*orders)
    hub.look(store.source())
    assert [len(asked) for asked in store.asked] == [CHUNK, 1]
    assert all(waiter.event.is_set() and waiter.wait(0).final for waiter in waiters)


def test_what_is_final_is_not_asked_for_again() -> None:
    hub, store, one = hub_of(), Store(), order()
    store.put(one)
    hub.join(one.id)
    for _ in range(3):
        hub.look(store.source())
    assert store.asked == [[one.id]]


def test_only_who_learns_something_is_woken_up() -> None:
    hub, store, mine, other = hub_of(), Store(), order(), order()
    waiter, another = hub.join(mine.id), hub.join(other.id)
    store.put(mine)
    for _ in range(3):
        hub.look(store.source(writes=False))
    assert waiter.wait(0).state == "held"
    hub.look(store.source(writes=False))
    assert [one.event.is_set() for one in (waiter, another)] == [False, False]


def test_all_who_wait_for_one_order_hear_of_it() -> None:
    hub, store, one = hub_of(), Store(), order()
    waiters = [hub.join(one.id) for _ in range(3)]
    store.put(one)
    hub.look(store.source())
    assert all(waiter.event.is_set() for waiter in waiters)
    assert store.asked == [[one.id]]


def test_a_settled_order_is_never_told_as_held_again() -> None:
    hub, ledger, database, one = hub_of(), Store(), Store(), order()
    waiter = hub.join(one.id)
    ledger.put(restated(one, State.CANCELLED))
    database.put(one)
    hub.look(ledger.source(writes=False))
    hub.look(database.source())
    assert (waiter.wait(0).state, waiter.wait(0).written) == ("cancelled", True)


def test_a_store_that_is_down_is_asked_again() -> None:
    hub, store, one = hub_of(), Store(down=True), order()
    waiter = hub.join(one.id)
    store.put(one)
    hub.look(store.source())
    assert not waiter.event.is_set()
    store.down = False
    hub.look(store.source())
    assert waiter.wait(0).final


def test_a_ledger_that_is_down_is_asked_again_without_a_word() -> None:
    hub, store, one = hub_of(), Store(down=True), order()
    waiter = hub.join(one.id)
    store.put(one)
    breaker = StoreBreaker("ledger", BreakerSettings(), ManualClock())
    source = ledger_source(cast(Ledger, Register(store)), breaker)
    hub.look(source)
    store.down = False
    hub.look(source)
    assert waiter.wait(0).state == "held"


def test_beyond_the_bound_nobody_waits() -> None:
    hub = hub_of(most=2)
    first, _ = hub.join(order().id), hub.join(order().id)
    with pytest.raises(Full):
        hub.join(order().id)
    first.leave()
    first.leave()
    hub.join(order().id)
    assert hub.waiting == 2


def test_one_order_can_not_take_all_places() -> None:
    hub, one = hub_of(), order()
    for _ in range(16):
        hub.join(one.id)
    with pytest.raises(Full):
        hub.join(one.id)
    hub.join(order().id)


def test_at_the_end_everybody_is_sent_away() -> None:
    hub, one = hub_of(), order()
    waiter = hub.join(one.id)
    hub.stop()
    with pytest.raises(Stopping):
        waiter.wait(60)
    with pytest.raises(Stopping):
        hub.join(one.id)


def test_the_stores_are_asked_only_while_somebody_waits() -> None:
    store, one = Store(), order()
    hub = Hub([store.source()], 10, SystemClock())
    with hub.join(one.id) as waiter:
        store.put(one)
        eventually(lambda: waiter.wait(0.1).final, 10, "it is told")
    eventually(lambda: not hub._running, 10, "nobody is asked any more")
    asked = len(store.asked)
    with hub.join(order().id):
        eventually(lambda: len(store.asked) > asked, 10, "asked again")


def test_who_asks_once_is_told_what_is_written() -> None:
    store, one, other = Store(), order(), order()
    store.put(one)
    written = Gathered(store.ask)
    assert (written.order(one.id), written.order(other.id)) == (one, None)


@pytest.mark.parametrize("down", [False, True])
def test_what_a_replica_has_spares_the_database(down: bool) -> None:
    replica, database, one, other = Store(down=down), Store(), order(), order()
    replica.put(one)
    database.put(one, other)
    breaker = StoreBreaker("replica", BreakerSettings(), ManualClock(), [])
    ask = replica_first(cast(OrdersDb, Replica(replica)), breaker, database.ask)
    assert {found.id for found in ask([one.id, other.id])} == {one.id, other.id}
    assert database.asked == [sorted([one.id, other.id]) if down else [other.id]]


def test_who_waits_longer_is_asked_to_come_back_later() -> None:
    pace = Pace(ManualClock(), lambda: 0.5)
    assert [pace.poll_after(age) for age in (0, 1, 4, 40, 4000)] == [0.5, 0.5, 1, 10, 60]


def test_a_crowd_is_asked_to_come_back_later() -> None:
    clock = ManualClock()
    pace = Pace(clock, lambda: 0.5)
    crowded = [pace.poll_after(0) for _ in range(2000)][-1]
    assert crowded == pytest.approx(5.0)
    clock.advance(10)
    assert pace.poll_after(0) == 0.5


def test_no_two_are_asked_to_come_back_together() -> None:
    numbers = iter([0.0, 1.0])
    pace = Pace(ManualClock(), lambda: next(numbers))
    assert (pace.poll_after(40), pace.poll_after(40)) == (7.5, 12.5)
