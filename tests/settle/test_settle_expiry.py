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
    eventually(lambda: shop.expire(sku) == 1, what="the hold is over")
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
    assert shop.expire(order.item) == 0
    assert shop.state(order) is State.HELD


def test_a_paid_order_does_not_expire(shop: Shop) -> None:
    order = shop.order(hold_ms=1)
    shop.tell(order.id, "paid")
    assert shop.expire(order.item) == 0
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


def test_paying_and_expiring_raced_a_thousand_times_has_one_winner_and_balanced_books_in_every_run(
    shop: Shop, other_process: Site
) -> None:
    sku = shop.open_sale(RUNS, hold_ms=1)
    wins: Counter[State] = Counter()
    dice = random.Random(3)
    with ThreadPoolExecutor(2) as pool:
        for run in range(RUNS):
            order = shop.order(sku, buyer=f"buyer-{run % 7}")
            start = threading.Barrier(2)
            handicapped = dice.choice([State.PAID, State.EXPIRED, None])

            def settle(site: Site, state: State, order: Order = order, start=start, slow=handicapped) -> Settlement:
                start.wait(10)
                if state is slow:  # by about as long as settling takes
                    site.ledger.item(order.item, shop.deadline())
                return site.ledger.settle(order.id, state, "race", shop.deadline()).outcome

            eventually(lambda order=order: order.id in shop.ledger.due(sku, 5, shop.deadline()), what="it is due")
            paying = pool.submit(settle, shop.site, State.PAID)
            expiring = pool.submit(settle, other_process, State.EXPIRED)
            paid, expired = paying.result(30), expiring.result(30)
            assert (paid, expired) in [
                (Settlement.SETTLED, Settlement.REFUSED),
                (Settlement.LATE, Settlement.SETTLED),
            ], run
            winner = State.PAID if paid is Settlement.SETTLED else State.EXPIRED
            wins[winner] += 1
            view = shop.view(sku)  # C: total = free + held + paid
            assert view.held + view.paid <= view.total  # O
            assert (view.free, view.held, view.paid) == (RUNS - wins[State.PAID], 0, wins[State.PAID])
            assert shop.state(order) is winner
    assert min(wins[State.PAID], wins[State.EXPIRED]) > 0, "a race that one side always wins shows nothing"
    events = Counter(_kinds(shop, sku))
    assert events["late_payment"] == wins[State.EXPIRED] == events["expired"]


def _kinds(shop: Shop, sku: str) -> Iterator[str]:
    for entry in shop.ledger.outbox_from(sku):
        yield Event.decode(entry.body).kind.value
