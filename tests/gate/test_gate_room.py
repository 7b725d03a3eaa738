"""Room for purchases under way: a bounded number, and nobody who would have to wait for too long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from seckill_sidecar.clock import ManualClock
from seckill_sidecar.gate.room import BUSY, Room
from seckill_sidecar.model import Verdict
from seckill_sidecar.wire.answers import Refusal


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def purchase_of(seconds: float, room: Room, clock: ManualClock) -> None:
    with room.place():
        clock.advance(seconds)


def is_refused(room: Room) -> bool:
    try:
        room.refuse_if_full()
    except Refusal:
        return True
    return False


def test_one_more_than_there_is_room_for_is_told_so_at_once(clock: ManualClock) -> None:
    room = Room(2, wait=1.0, clock=clock)
    with room.place(), room.place():
        assert room.inside == 2
        assert is_refused(room)
        with pytest.raises(Refusal) as refused, room.place():
            pytest.fail("there was no room")
        assert (refused.value.verdict, refused.value.reason) == (Verdict.UNAVAILABLE, BUSY)
    assert room.inside == 0
    assert not is_refused(room)


def test_a_place_is_given_back_by_who_fails(clock: ManualClock) -> None:
    room = Room(1, wait=1.0, clock=clock)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), room.place():
            1 / 0  # noqa: B018
    assert room.inside == 0


def test_those_turned_away_come_back_at_different_times(clock: ManualClock) -> None:
    numbers: Iterator[float] = iter((0.0, 0.5, 1.0))
    room = Room(1, wait=1.0, clock=clock, randomness=lambda: next(numbers))
    waits = []
    with room.place():
        for _ in range(3):
            with pytest.raises(Refusal) as refused:
                room.refuse_if_full()
            waits.append(refused.value.retry_after)
    assert waits == [0.5, 1.75, 3.0]


@pytest.mark.parametrize(("stays", "refused"), [(0.01, False), (0.99, False), (1.01, True), (3.0, True)])
def test_who_would_stay_for_longer_than_the_bound_is_turned_away(
    clock: ManualClock, stays: float, refused: bool
) -> None:
    room = Room(100, wait=1.0, clock=clock)
    with room.place():
        for _ in range(30):
            purchase_of(stays, room, clock)
        assert is_refused(room) is refused


def test_one_slow_purchase_among_many_turns_nobody_away(clock: ManualClock) -> None:
    room = Room(10, wait=1.0, clock=clock)
    with room.place():
        purchase_of(0.01, room, clock)
        purchase_of(5.0, room, clock)
        assert not is_refused(room)


def test_many_at_once_may_all_be_slow_within_the_bound(clock: ManualClock) -> None:
    room = Room(100, wait=1.0, clock=clock)
    with room.place():
        with ExitStack() as others:
            for _ in range(50):
                others.enter_context(room.place())
            clock.advance(0.9)
        assert not is_refused(room)


def test_slowness_is_forgotten_when_everybody_has_left(clock: ManualClock) -> None:
    room = Room(10, wait=1.0, clock=clock)
    with room.place():
        purchase_of(5.0, room, clock)
        assert is_refused(room)
    assert not is_refused(room)


def test_slowness_is_forgotten_when_it_is_over(clock: ManualClock) -> None:
    room = Room(10, wait=1.0, clock=clock)
    with room.place():
        purchase_of(5.0, room, clock)
        assert is_refused(room)
        for _ in range(20):
            purchase_of(0.01, room, clock)
        assert not is_refused(room)
