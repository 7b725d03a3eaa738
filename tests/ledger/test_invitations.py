"""The exact list of invited buyers in Redis: complete or not asked, small, in its item's slot, and tidied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from ledger_words import PREFIX, open_line, within

from seckill_sidecar.adapters.ledger import Keys, Line, RedisInvitations
from seckill_sidecar.errors import LedgerUntrusted
from seckill_sidecar.ports import Generation, Seat

pytestmark = pytest.mark.gevent_too

DAY_MS = 86_400_000
HIGH, LOW = 2**63 - 1, -(2**63)


@pytest.fixture
def line(redis_url: str) -> Iterator[Line]:
    with closing(open_line(redis_url)) as line:
        yield line


@pytest.fixture
def invitations(line: Line) -> RedisInvitations:
    return RedisInvitations(line, Keys(PREFIX))


def generation(name: str, buckets: int = 4) -> Generation:
    return Generation("vip", name, buckets, 3)


def seats(name: str) -> list[Seat]:
    return [Seat(name, 0, 7), Seat(name, 0, HIGH), Seat(name, 3, LOW)]


def make(invitations: RedisInvitations, name: str, at_ms: int = 1) -> Generation:
    """A complete generation, as the command makes it."""
    one = generation(name)
    invitations.begin(one, at_ms, within())
    assert invitations.add(one, seats(name), within()) == 3
    invitations.finish(one, at_ms, within())
    invitations.drop_old("vip", at_ms, within())
    return one


def test_exactly_those_seats_are_taken_that_were_added(invitations: RedisInvitations) -> None:
    make(invitations, "g1")
    assert [invitations.holds("vip", seat, within()) for seat in seats("g1")] == [True] * 3
    others = [Seat("g1", 1, 7), Seat("g1", 0, 8), Seat("g1", 3, HIGH), Seat("g1", 0, -7)]
    assert [invitations.holds("vip", seat, within()) for seat in others] == [False] * 4


def test_a_list_that_is_not_complete_is_not_asked(invitations: RedisInvitations) -> None:
    one = generation("g1")
    assert invitations.holds("vip", seats("g1")[0], within()) is None
    invitations.begin(one, 1, within())
    invitations.add(one, seats("g1"), within())
    assert invitations.holds("vip", seats("g1")[0], within()) is None
    assert not invitations.is_whole(one, within())
    invitations.finish(one, 1, within())
    assert invitations.holds("vip", seats("g1")[0], within()) is True
    assert invitations.is_whole(one, within())


def test_a_seat_that_is_taken_twice_is_counted_once(invitations: RedisInvitations) -> None:
    assert invitations.add(generation("g1"), [*seats("g1"), *seats("g1")], within()) == 3


def test_one_items_list_is_not_anothers(invitations: RedisInvitations) -> None:
    make(invitations, "g1")
    assert invitations.holds("kettle", seats("g1")[0], within()) is None


def test_the_last_two_lists_stay_and_older_ones_go(invitations: RedisInvitations, line: Line) -> None:
    for at_ms, name in enumerate(["g1", "g2", "g3"], 1):
        make(invitations, name, at_ms)
    assert [invitations.holds("vip", seats(name)[0], within()) for name in ("g1", "g2", "g3")] == [None, True, True]
    assert not line.ask("KEYS", f"{PREFIX}:*g1*", deadline=within())


def test_a_list_that_is_being_made_is_left_alone_for_a_day(invitations: RedisInvitations, line: Line) -> None:
    invitations.begin(generation("broken-off"), 1, within())
    invitations.add(generation("broken-off"), seats("broken-off"), within())
    make(invitations, "g1", DAY_MS)
    assert line.ask("KEYS", "*broken-off*", deadline=within())
    make(invitations, "g2", DAY_MS + 2)
    assert not line.ask("KEYS", "*broken-off*", deadline=within())
    assert line.ask("HLEN", Keys(PREFIX).of("vip", "invited"), deadline=within()) == 2


def test_all_keys_carry_their_items_hash_tag(invitations: RedisInvitations, line: Line) -> None:
    make(invitations, "g1")
    keys = [key.decode() for key in line.ask("KEYS", "*", deadline=within())]
    assert len(keys) == 3
    assert all(key.startswith(f"{PREFIX}:{{vip}}:invited") for key in keys)


def test_a_bucket_costs_eight_bytes_a_buyer(invitations: RedisInvitations, line: Line) -> None:
    many = [Seat("g1", 0, number * 10**15) for number in range(200)]
    invitations.add(generation("g1"), many, within())
    encoding = line.ask("OBJECT", "ENCODING", Keys(PREFIX).of("vip", "invited:g1:0"), deadline=within())
    assert encoding == b"intset"


@pytest.mark.parametrize("part", ["invited", "invited:g1:0"])
def test_a_key_of_another_type_is_no_answer(invitations: RedisInvitations, line: Line, part: str) -> None:
    make(invitations, "g1")
    line.ask("SET", Keys(PREFIX).of("vip", part), "nonsense", deadline=within())
    with pytest.raises(LedgerUntrusted, match="the list of invited buyers can't be asked"):
        invitations.holds("vip", seats("g1")[0], within())
