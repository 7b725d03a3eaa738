"""What a process refuses by itself: no longer than a second, and never a buyer who may hold an order."""

from __future__ import annotations

import random

import pytest

from seckill_sidecar.clock import ManualClock, order_ids
from seckill_sidecar.gate.local import Local
from seckill_sidecar.model import Decision, Purchase, Verdict

new_id = order_ids(ManualClock(), random.Random(7))
SOLD_OUT = Decision(Verdict.SOLD_OUT)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def local(clock: ManualClock) -> Local:
    return Local(remember=1.0, clock=clock)


def purchase(item: str = "kettle", key: str | None = None) -> Purchase:
    return Purchase(new_id(item), item, "alice", 1, key=key)


@pytest.mark.parametrize(
    ("after", "decision"),
    [(0.0, SOLD_OUT), (0.99, SOLD_OUT), (1.0, None), (60.0, None)],
)
def test_sold_out_is_remembered_for_a_second_at_most(
    local: Local, clock: ManualClock, after: float, decision: Decision | None
) -> None:
    local.remember("kettle", SOLD_OUT)
    clock.advance(after)
    assert local.recall(purchase()) == decision


def test_a_purchase_with_a_key_is_always_asked_for(local: Local) -> None:
    local.remember("kettle", SOLD_OUT)
    assert local.recall(purchase(key="k")) is None


def test_an_item_is_not_taken_for_another(local: Local) -> None:
    local.remember("kettle", SOLD_OUT)
    assert local.recall(purchase("teapot")) is None


@pytest.mark.parametrize(
    "decision",
    [
        Decision(Verdict.SOLD_OUT, available=1),
        Decision(Verdict.ACCEPTED),
        Decision(Verdict.LIMIT_REACHED),
        Decision(Verdict.RATE_LIMITED, retry_after=9),
        Decision(Verdict.UNKNOWN_ITEM),
        Decision(Verdict.UNAVAILABLE),
        Decision(Verdict.CONFLICT),
    ],
    ids=lambda decision: f"{decision.verdict}-{decision.available}",
)
def test_what_holds_for_one_buyer_only_is_not_remembered_and_ends_what_was(local: Local, decision: Decision) -> None:
    local.remember("kettle", SOLD_OUT)
    local.remember("kettle", decision)
    assert local.recall(purchase()) is None


def test_not_open_is_forgotten_when_it_opens(local: Local, clock: ManualClock) -> None:
    decision = Decision(Verdict.NOT_OPEN, retry_after=0.3)
    local.remember("kettle", decision)
    assert local.recall(purchase()) == decision
    clock.advance(0.3)
    assert local.recall(purchase()) is None


def test_nothing_is_remembered_with_a_memory_of_no_time(clock: ManualClock) -> None:
    local = Local(remember=0.0, clock=clock)
    local.remember("kettle", SOLD_OUT)
    assert local.recall(purchase()) is None


def test_the_memory_is_bounded(local: Local) -> None:
    for no in range(10_100):
        local.remember(f"item-{no}", SOLD_OUT)
    assert local.recall(purchase("item-0")) is None
    assert local.recall(purchase("item-10099")) == SOLD_OUT
