"""The database is asked how far an item had come only when nothing waits to be written to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seckill_sidecar.clock import ManualClock
from seckill_sidecar.errors import StoreDown
from seckill_sidecar.gate.witness import Witness

SEEN = (3, 120)


def depths(*counts: int) -> Callable[[], int]:
    """A queue that holds these many messages, one look after the other."""
    looks = iter(counts)
    return lambda: next(looks)


def test_without_a_broker_the_database_is_asked_at_once() -> None:
    assert Witness(lambda _: SEEN, None, ManualClock(), 1.0)("sneaker") == SEEN


def test_an_empty_queue_is_looked_at_again_a_moment_later() -> None:
    clock = ManualClock()
    witness = Witness(lambda _: SEEN, depths(0, 0, 0), clock, 1.0)
    with pytest.raises(StoreDown, match="in hand"):
        witness("sneaker")
    clock.sleep(0.9)
    with pytest.raises(StoreDown, match="in hand"):
        witness("sneaker")
    clock.sleep(0.2)
    assert witness("sneaker") == SEEN


def test_messages_that_wait_refuse_and_the_moment_begins_anew() -> None:
    clock = ManualClock()
    witness = Witness(lambda _: SEEN, depths(0, 7, 0, 0), clock, 1.0)
    for said in ("in hand", "7 messages wait to be written", "in hand"):
        with pytest.raises(StoreDown, match=said):
            witness("sneaker")
        clock.sleep(2)
    assert witness("sneaker") == SEEN


def test_a_look_of_long_ago_says_nothing() -> None:
    clock = ManualClock()
    witness = Witness(lambda _: SEEN, depths(0, 0), clock, 1.0)
    for _ in range(2):
        with pytest.raises(StoreDown, match="in hand"):
            witness("sneaker")
        clock.sleep(300)


def test_several_items_share_what_was_seen_for_a_moment_only() -> None:
    clock = ManualClock()
    witness = Witness(lambda _: SEEN, depths(0, 0, 5), clock, 1.0)
    with pytest.raises(StoreDown):
        witness("sneaker")
    clock.sleep(1)
    assert witness("sneaker") == witness("boots") == SEEN
    clock.sleep(10)
    with pytest.raises(StoreDown, match="5 messages"):
        witness("sneaker")
