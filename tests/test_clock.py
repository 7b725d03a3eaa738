"""Time, deadlines and order ids."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seckill_sidecar.clock import Deadline, ManualClock, SystemClock, order_ids
from seckill_sidecar.model import ORDER_ID, SKU

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

skus = st.from_regex(SKU, fullmatch=True)


def moment_of(order_id: str) -> int:
    """The milliseconds since 1970 in an order id, read as the ULID specification says."""
    value = 0
    for digit in order_id.partition("~")[2]:
        value = value * 32 + CROCKFORD.index(digit)
    return value >> 80


# -- order ids ---------------------------------------------------------------------------------------


@given(sku=skus, seconds=st.floats(0, 2**48 / 1000 - 1), seed=st.integers())
def test_an_order_id_names_its_item_and_its_moment(sku: str, seconds: float, seed: int) -> None:
    order_id = order_ids(ManualClock(seconds), random.Random(seed))(sku)
    match = ORDER_ID.fullmatch(order_id)
    assert match is not None
    assert match[1] == sku
    assert moment_of(order_id) == int(seconds * 1000)


def test_order_ids_are_what_they_are_for_a_given_clock_and_seed() -> None:
    clock = ManualClock(1_469_918_176.3855)
    first, again = (order_ids(clock, random.Random(1))("sneaker") for _ in range(2))
    assert first == again
    assert first.startswith("sneaker~01ARYZ6S41")  # the ULID specification's own example


def test_later_order_ids_sort_later() -> None:
    clock = ManualClock()
    make = order_ids(clock, random.Random(3))
    made = []
    for _ in range(200):
        made.append(make("sneaker"))
        clock.advance(0.001)
    assert made == sorted(made)


def test_order_ids_of_one_moment_differ() -> None:
    make = order_ids(ManualClock())
    assert len({make("sneaker") for _ in range(10_000)}) == 10_000


def test_two_makers_without_a_seed_do_not_repeat_each_other() -> None:
    clock = ManualClock()
    assert order_ids(clock)("sneaker") != order_ids(clock)("sneaker")


# -- deadlines ---------------------------------------------------------------------------------------


def test_a_deadline_counts_down_and_then_stays_at_nothing() -> None:
    clock = ManualClock()
    deadline = Deadline.after(2, clock)
    assert (deadline.remaining(), deadline.passed()) == (2, False)
    clock.advance(1.5)
    assert (deadline.remaining(), deadline.passed()) == (0.5, False)
    clock.advance(0.5)
    assert (deadline.remaining(), deadline.passed()) == (0, True)
    clock.advance(9)
    assert (deadline.remaining(), deadline.passed()) == (0, True)


@pytest.mark.parametrize(("asked", "given_"), [(1, 1), (2, 2), (3, 2), (0, 0)])
def test_a_call_gets_what_it_asks_for_but_never_more_than_is_left(asked: float, given_: float) -> None:
    assert Deadline.after(2, ManualClock()).within(asked) == given_


def test_a_deadline_of_no_time_has_passed() -> None:
    assert Deadline.after(0, ManualClock()).passed()


# -- clocks ------------------------------------------------------------------------------------------


def test_a_manual_clock_moves_only_when_told_and_remembers_its_sleeps() -> None:
    clock = ManualClock(10)
    assert (clock.monotonic(), clock.wall()) == (10, 10)
    clock.sleep(2)
    clock.advance(3)
    assert (clock.monotonic(), clock.wall(), clock.slept) == (15, 15, [2])


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0)
    assert before <= clock.monotonic()
    assert abs(clock.wall() - time.time()) < 60
