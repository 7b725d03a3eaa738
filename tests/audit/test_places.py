"""The table in which the stores' accounts of an order meet."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from seckill_sidecar.adapters.places import Place, Places
from seckill_sidecar.clock import ManualClock, order_ids
from seckill_sidecar.model import Order, State

SKU = "sneaker"
_new_id = order_ids(ManualClock(), random.Random(7))


@pytest.fixture
def places() -> Iterator[Places]:
    with closing(Places()) as places:
        yield places


def order(seq: int = 1, state: State = State.HELD, quantity: int = 1, epoch: int = 1) -> Order:
    return Order(_new_id(SKU), SKU, epoch, seq, "ann", quantity, state, 0, 0)


def test_an_order_that_a_scan_of_the_ledger_repeats_counts_once_as_it_stood_last(places: Places) -> None:
    held = order(quantity=3)
    places.put_ledger([held, order(2), replace(held, state=State.PAID)])
    assert places.units(SKU, epoch=1, last=2) == (1, 3)
    assert places.counts(SKU) == {Place.ON_ITS_WAY: 2}
    assert list(places.doubles(SKU)) == []


def test_units_are_those_of_the_orders_that_were_there_when_the_item_was_read(places: Places) -> None:
    places.put_ledger([order(9, epoch=1), order(1, epoch=2), order(2, epoch=2)])
    assert places.units(SKU, epoch=2, last=1) == (2, 0)


def test_each_gap_in_the_numbers_is_found(places: Places) -> None:
    places.put_ledger(order(seq) for seq in (2, 3, 7, 7, 12))
    assert places.numbers_missing(SKU, epoch=1, after=0, last=9) == 6
    assert places.gaps(SKU, epoch=1, after=0, last=9, most=10) == [(1, 1), (4, 6), (8, 9)]
    assert places.gaps(SKU, epoch=1, after=0, last=9, most=2) == [(1, 1), (4, 6)]
    assert places.gaps(SKU, epoch=1, after=0, last=0, most=2) == []
    assert places.numbers_missing(SKU, epoch=1, after=4, last=9) == 4
    assert places.gaps(SKU, epoch=1, after=4, last=9, most=10) == [(5, 6), (8, 9)]
    assert places.numbers_missing(SKU, epoch=1, after=9, last=3) == 0


def test_renewing_adds_no_order(places: Places) -> None:
    later = order(5)
    places.renew_ledger([later])
    places.renew_database([later])
    assert places.counts(SKU) == {}


def test_unsettled_orders_may_settle_while_they_are_listed(places: Places) -> None:
    orders = [order(seq) for seq in range(1, 1801)]
    places.put_ledger(orders)
    by_id = {one.id: one for one in orders}
    seen = []
    for ids in places.unsettled(SKU):
        places.renew_database(by_id[one] for one in ids)
        seen += ids
    assert sorted(seen) == sorted(by_id)
    assert places.counts(SKU) == {Place.IN_DATABASE: 1800}


def test_a_forgotten_item_leaves_the_others(places: Places) -> None:
    places.put_ledger([order(), replace(order(), item="kettle")])
    places.forget(SKU)
    assert places.counts(SKU) == {}
    assert places.counts("kettle") == {Place.ON_ITS_WAY: 1}
