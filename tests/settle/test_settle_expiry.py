"""Holds that are not paid in time, and what races with them."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from settle_site import Shop
from stack import eventually

from seckill_sidecar.model import Event, Order, Settlement, State
from seckill_sidecar.wiring import Site

RUNS = 1000


def test_an_expired_hold_is_on_sale_again_at_once_and_its_buyer_may_buy_again(shop: Shop) -> None:
    sku = shop.open_sale(1, hold_ms=1)
    assert shop.buy(sku, "ann").status == 201
    eventually(shop.expire, what="the hold is over")
    assert (shop.view(sku).free, shop.view(sku).held) == (1, 0)
    eventually(lambda: shop.buy(sku, "ann").status == 201, what="ann has it again")


def test_a_hold_lives_as_long_as_its_route_says_else_as_its_item_says(shop: Shop) -> None:
    sku = shop.open_sale(hold_ms=60_000)
    shop.buy(sku, "ann")
    shop.buy(sku, "ben", "/slow/{sku}")
    lives = {order.buyer: order.due_at_ms - order.accepted_at_ms for order in shop.ledger.orders(sku)}
    assert lives == {"ann": 60_000, "ben": 7_200_000}


def test_a_hold_that_is_not_over_stays(shop: Shop) -> None:
    order = shop.order()
    shop.expire()
    assert shop.state(order) is State.HELD


def test_a_paid_order_does_not_expire(shop: Shop) -> None:
    order = shop.order(hold_ms=1)
    shop.tell(order.id, "paid")
    shop.expire()
    assert shop.state(order) is State.PAID


def test_every_step_reaches_the_database_in_the_end(shop: Shop) -> None:
    paid, cancelled, expired, held = shop.order(), shop.order(), shop.expired_order(), shop.order()
    shop.notify(paid.id)
    shop.tell(cancelled.id, "cancelled")
    stop = threading.Event()
    writer = threading.Thread(target=shop.site.writer().run, args=(stop,))
    writer.start()
    try:
        wanted = {paid: "paid", cancelled: "cancelled", expired: "expired", held: "held"}
        for order, state in wanted.items():
            eventually(lambda order=order, state=state: _written(shop, order) == state, what=f"{state} is written")
    finally:
        stop.set()
        writer.join(30)


def _written(shop: Shop, order: Order) -> str:
    found = shop.site.orders.order(order.id)
    return found.state if found is not None else "nothing"


# -- the race ----------------------------------------------------------------------------------------


@pytest.fixture
def other_process(shop: Shop) -> Iterator[Site]:
    """The ledger on a connection of its own, as another process has it."""
    site = Site(shop.site.settings)
    yield site
    site.ledger.close()


def race(shop: Shop, other_process: Site, order: Order, slower: State | None) -> tuple[Settlement, Settlement]:
    """Pay and expire an order at the same moment; what each of the two was told."""
    start = threading.Barrier(2)

    def settle(site: Site, state: State) -> Settlement:
        start.wait(10)
        if state is slower:  # by about as long as settling takes
            site.ledger.item(order.item, shop.deadline())
        return site.ledger.settle(order.id, state, "race", shop.deadline()).outcome

    with ThreadPoolExecutor(2) as pool:
        told = pool.submit(settle, shop.site, State.PAID), pool.submit(settle, other_process, State.EXPIRED)
        return told[0].result(30), told[1].result(30)


WINNERS = {
    (Settlement.SETTLED, Settlement.REFUSED): State.PAID,
    (Settlement.LATE, Settlement.SETTLED): State.EXPIRED,
}
"""By what the payer and the relay were told. There is no third way."""


def test_paid_expired_race_of_1000_runs_c_and_o_hold_in_every_one(shop: Shop, other_process: Site) -> None:
    """Exactly one wins, the loser is told which; the invariants are those of ARCHITECTURE.md."""
    sku = shop.open_sale(RUNS, hold_ms=1)
    wins: Counter[State] = Counter()
    dice = random.Random(3)
    for run in range(RUNS):
        order = shop.order(sku, buyer=f"buyer-{run % 7}")
        eventually(lambda: shop.ledger.due(sku, 1, shop.deadline()), what="it is due")
        told = race(shop, other_process, order, slower=dice.choice([State.PAID, State.EXPIRED, None]))
        assert told in WINNERS, run
        wins[WINNERS[told]] += 1
        view = shop.view(sku)  # C: total = free + held + paid
        assert view.held + view.paid <= view.total  # O
        assert (view.free, view.held, view.paid) == (RUNS - wins[State.PAID], 0, wins[State.PAID])
        assert shop.state(order) is WINNERS[told]
    assert min(wins[state] for state in WINNERS.values()) > 0, "a race that one side always wins shows nothing"
    assert _kinds(shop, sku) == {
        "accepted": RUNS,
        "paid": wins[State.PAID],
        "expired": wins[State.EXPIRED],
        "late_payment": wins[State.EXPIRED],
    }


def _kinds(shop: Shop, sku: str) -> Counter[str]:
    return Counter(Event.decode(entry.body).kind.value for entry in shop.ledger.outbox_from(sku))
