"""An audit in the middle of a sale: motion is no fault, and what stays wrong is one."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from audit_words import SKU, Shop, ids
from stack import eventually

from seckill_sidecar.clock import SystemClock
from seckill_sidecar.model import State, Verdict
from seckill_sidecar.ops.audit import Auditor, Report

AUDITS = 20
PATIENT = 20.0


def go_shopping(shop: Shop, seed: int) -> Callable[[], None]:
    """Buy, and pay or cancel some of what one has, again and again."""
    dice, mine = random.Random(seed), []

    def step() -> None:
        decision = shop.try_to_buy(f"buyer-{seed}-{dice.randrange(500)}", dice.randint(1, 3))
        if decision.verdict is Verdict.ACCEPTED:
            mine.append(decision.order)
        if mine and dice.random() < 0.7:
            order = mine.pop(dice.randrange(len(mine)))
            assert order is not None
            shop.settle(order, dice.choice([State.PAID, State.CANCELLED, State.CANCELLED]))

    return step


@contextmanager
def going_on(*steps: Callable[[], object]) -> Iterator[None]:
    """Repeat each step in a thread of its own; raise what one of them raised."""
    stop = threading.Event()

    def repeat(step: Callable[[], object]) -> None:
        while not stop.is_set():
            step()

    with ThreadPoolExecutor(len(steps)) as pool:
        futures = [pool.submit(repeat, step) for step in steps]
        try:
            yield
        finally:
            stop.set()
        for future in futures:
            future.result(30)


def test_no_audit_during_a_sale_raises_a_false_alarm(shop: Shop) -> None:
    shop.open_sale(total=2_000)
    with going_on(go_shopping(shop, 1), go_shopping(shop, 2), shop.site.writer().step):
        reports = [shop.audit(patience=PATIENT) for _ in range(AUDITS)]
    assert [report for report in reports if not report.balanced] == []
    assert reports[-1].total("accepted") > reports[0].total("accepted")
    assert [report for report in reports if accounted_for(report) != report.total("accepted")] == []
    shop.write()
    assert shop.audit().balanced


def accounted_for(report: Report) -> int:
    return sum(report.total(place) for place in ("in_outbox", "on_its_way", "in_database", "parked", "missing"))


def test_an_order_that_arrives_within_the_patience_is_no_loss(shop: Shop) -> None:
    shop.play(3)
    shop.buy("late")
    [(entry_id, fields)] = shop.redis.xrange(shop.key("outbox"))
    shop.redis.delete(shop.key("outbox"))

    class ArrivesWhileOneSleeps(SystemClock):
        def sleep(self, seconds: float) -> None:
            shop.redis.xadd(shop.key("outbox"), fields, entry_id)
            shop.write()

    report = Auditor(shop.site.ledger, shop.site.orders, ArrivesWhileOneSleeps(), PATIENT).audit()
    assert report.balanced
    assert report.total("in_database") == 4


def test_what_is_lost_in_mid_sale_is_found_though_others_arrive(shop: Shop) -> None:
    lost = shop.buy("unlucky")
    shop.redis.delete(shop.key("outbox"))
    shop.open_sale(total=2_000, sku="kettle")
    with going_on(go_shopping(shop, 1), shop.site.writer().step):
        report = shop.audit(patience=0.5)
    assert not report.balanced
    assert ids(report, "missing") == {lost.id}


def test_while_orders_still_arrive_the_rest_is_on_its_way(shop: Shop) -> None:
    waiting = [shop.buy(f"buyer-{number}") for number in range(60)]
    entries = shop.redis.xrange(shop.key("outbox"))
    shop.redis.delete(shop.key("outbox"))

    class OneArrivesAtEachLook(SystemClock):
        def __init__(self) -> None:
            self.now = 0.0

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds
            _, fields = entries.pop()
            shop.redis.xadd(shop.key("outbox"), fields)
            shop.write()

    report = Auditor(shop.site.ledger, shop.site.orders, OneArrivesAtEachLook(), 3.0).audit()
    assert report.balanced
    assert report.total("missing") == 0
    assert report.total("on_its_way") == len(entries) > 20 == len(report.examples["on_its_way"])
    assert report.total("in_database") == len(waiting) - len(entries)


def test_an_order_in_outbox_and_database_is_counted_once(shop: Shop) -> None:
    shop.buy()
    [(_, fields)] = shop.redis.xrange(shop.key("outbox"))
    shop.write()
    shop.redis.xadd(shop.key("outbox"), fields)
    shop.expect_balanced(accepted=1, in_database=1, in_outbox=0)


@pytest.mark.parametrize("patience", [0.0, 0.2])
def test_sums_that_do_not_fit_are_read_again_unless_there_is_no_patience(shop: Shop, patience: float) -> None:
    naps: list[float] = []

    class CountsItsNaps(SystemClock):
        def sleep(self, seconds: float) -> None:
            naps.append(seconds)
            super().sleep(seconds)

    shop.play(3)
    shop.redis.hincrby(shop.key("item"), "held", 1)
    assert not Auditor(shop.site.ledger, shop.site.orders, CountsItsNaps(), patience).audit().balanced
    assert bool(naps) == bool(patience)


def test_orders_in_the_broker_are_no_false_alarm_while_the_writer_writes(shop_with_broker: Shop) -> None:
    shop = shop_with_broker
    shop.open_sale(total=2_000)
    relay, writer = shop.site.relay(), shop.site.writer()
    with going_on(go_shopping(shop, 1), relay.step, writer.step):
        reports = [shop.audit(patience=PATIENT) for _ in range(AUDITS)]
    relay.close()
    assert [report for report in reports if not report.balanced] == []
    assert reports[-1].total("accepted") > reports[0].total("accepted")


def test_orders_that_nobody_takes_from_the_broker_are_missing_until_somebody_does(shop_with_broker: Shop) -> None:
    shop = shop_with_broker
    relay = shop.site.relay()
    bought = {shop.buy(buyer).id for buyer in ("ann", "bob", "cid")}
    assert relay.step() == 3
    relay.close()
    assert ids(shop.expect_wrong(missing=3), "missing") == bought
    writer = shop.site.writer()
    eventually(lambda: writer.step() == 0 and sum(units.orders for units in shop.site.orders.units(SKU)) == 3, 20)
    shop.expect_balanced(accepted=3, in_database=3)
