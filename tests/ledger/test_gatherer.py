"""Calls that wait at the same moment travel together, and whatever happens to one, the others get home."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import gevent
import pytest
from gevent import monkey
from ledger_words import run_at_once, within
from stack import eventually

from seckill_sidecar.adapters.ledger.gatherer import Call, Gatherer
from seckill_sidecar.errors import DeadlinePassed, OutcomeUnknown, StoreError, TooBusy

pytestmark = pytest.mark.gevent_too
only_with_greenlets = pytest.mark.skipif(
    not monkey.is_module_patched("threading"), reason="a thread can't be killed; a greenlet can"
)


class Airport:
    """A gatherer whose flights can be held on the ground, and what flew."""

    def __init__(self, most: int = 64, bound: int = 1000) -> None:
        self.flights: list[list[bytes]] = []
        self.free = threading.Event()
        self.free.set()
        self.crash: BaseException | None = None
        self.strand = False
        self.before_landing: Callable[[], object] = bool
        self.gatherer = Gatherer("ledger", self._fly, most, bound)
        self._pool = ThreadPoolExecutor(220)

    def _fly(self, calls: Sequence[Call]) -> None:
        self.flights.append([call.command for call in calls])
        assert self.free.wait(10)
        crash, self.crash = self.crash, None
        if crash is not None:
            raise crash
        for call in calls:
            if not self.strand:
                call.answer(b"re:" + call.command)
        self.before_landing()

    def ask(self, command: bytes, seconds: float = 10.0) -> Any:
        return self.gatherer.submit(command, within(seconds))

    def post(
        self, command: bytes, seconds: float = 10.0, report: Callable[[Exception], None] = lambda error: None
    ) -> None:
        self.gatherer.post(command, within(seconds), report)

    def send(self, command: bytes, seconds: float = 10.0) -> Future[Any]:
        """Ask from a thread of its own, and return when the call flies or waits."""
        before = self._known()
        future = self._pool.submit(self.ask, command, seconds)
        eventually(lambda: future.done() or self._known() > before, what="the call is under way")
        return future

    def hold(self) -> Future[Any]:
        """Keep a first flight in the air, so that what comes now gathers."""
        self.free.clear()
        return self.send(b"first")

    def hold_the_next(self) -> None:
        """Let the flight in the air land, and keep the one after it in the air."""
        count = len(self.flights)
        self.free, landing = threading.Event(), self.free
        landing.set()
        eventually(lambda: len(self.flights) > count, what="the next flight is in the air")

    def release(self) -> None:
        self.free.set()

    def waiting(self) -> int:
        return len(self.gatherer._waiting)

    def _known(self) -> int:
        return sum(map(len, self.flights)) + self.waiting()

    def expect_at_rest(self) -> None:
        """Nothing waits, nobody leads, and a new call is answered at once."""
        assert self.ask(b"again") == b"re:again"
        assert self.waiting() == 0
        assert not self.gatherer._in_the_air

    def close(self) -> None:
        self.free.set()
        self._pool.shutdown()


@pytest.fixture
def open_airport() -> Iterator[Callable[..., Airport]]:
    """``open_airport(most=3)``"""
    opened: list[Airport] = []

    def start(**bounds: int) -> Airport:
        opened.append(Airport(**bounds))
        return opened[-1]

    yield start
    for airport in opened:
        airport.close()


@pytest.fixture
def airport(open_airport: Callable[..., Airport]) -> Airport:
    return open_airport()


def test_a_lone_call_leaves_at_once(airport: Airport) -> None:
    assert airport.ask(b"a") == b"re:a"
    assert airport.flights == [[b"a"]]


def test_what_waits_while_one_flies_travels_together_in_order(airport: Airport) -> None:
    first = airport.hold()
    others = [airport.send(b"%d" % n) for n in range(5)]
    airport.release()
    assert [future.result(10) for future in (first, *others)] == [b"re:first", *(b"re:%d" % n for n in range(5))]
    assert airport.flights == [[b"first"], [b"%d" % n for n in range(5)]]
    airport.expect_at_rest()


def test_no_flight_takes_more_than_its_bound(open_airport: Callable[..., Airport]) -> None:
    airport = open_airport(most=3)
    airport.hold()
    others = [airport.send(b"%d" % n) for n in range(8)]
    airport.release()
    assert [future.result(10) for future in others] == [b"re:%d" % n for n in range(8)]
    assert [len(flight) for flight in airport.flights] == [1, 3, 3, 2]
    airport.expect_at_rest()


def test_a_call_beyond_the_bound_is_turned_away_and_leaves_no_trace(open_airport: Callable[..., Airport]) -> None:
    airport = open_airport(bound=2)
    airport.hold()
    others = [airport.send(b"a"), airport.send(b"b")]
    with pytest.raises(TooBusy):
        airport.ask(b"c")
    airport.release()
    assert [future.result(10) for future in others] == [b"re:a", b"re:b"]
    airport.expect_at_rest()
    assert [b"c"] not in airport.flights


def test_a_call_whose_time_is_over_while_it_waits_is_never_sent(airport: Airport) -> None:
    airport.hold()
    other = airport.send(b"patient")
    with pytest.raises(DeadlinePassed, match="nothing was sent"):
        airport.ask(b"impatient", 0.05)
    airport.release()
    assert other.result(10) == b"re:patient"
    airport.expect_at_rest()
    assert [b"patient"] in airport.flights


def test_a_call_whose_time_is_over_in_the_air_is_unknown(airport: Airport) -> None:
    airport.hold()
    patient, hurried = airport.send(b"patient"), airport.send(b"hurried", 0.5)
    airport.hold_the_next()
    with pytest.raises(OutcomeUnknown):
        hurried.result(10)
    airport.release()
    assert patient.result(10) == b"re:patient"
    airport.expect_at_rest()


def test_a_call_that_gets_the_lead_in_its_very_last_moment_is_not_sent_and_passes_the_lead_on(airport: Airport) -> None:
    airport.gatherer._in_the_air = True  # as if another were leading
    late = airport.send(b"late", 0.3)
    with airport.gatherer._lock:
        [call] = airport.gatherer._waiting
        eventually(call.deadline.passed, what="its time is over")
        time.sleep(0.05)  # it stops listening to the bell, and waits for the lock
        call.lead()
    with pytest.raises(DeadlinePassed, match="nothing was sent"):
        late.result(10)
    assert airport.flights == []
    airport.expect_at_rest()


def test_whoever_has_the_most_time_leads(airport: Airport) -> None:
    first = airport.hold()
    futures = [airport.send(b"%d" % seconds, seconds) for seconds in (5, 60, 20)]
    waiting = list(airport.gatherer._waiting)
    airport.release()
    assert [future.result(10) for future in (first, *futures)]
    assert [call.command for call in waiting if call.leads] == [b"60"]


def test_a_flight_that_breaks_off_leaves_its_calls_unknown_and_hands_the_lead_on(airport: Airport) -> None:
    airport.hold()
    leader, passenger = airport.send(b"leader", 20), airport.send(b"passenger", 10)
    airport.hold_the_next()
    later = airport.send(b"later")
    airport.crash = ZeroDivisionError("engine")
    airport.release()
    with pytest.raises(ZeroDivisionError):
        leader.result(10)
    with pytest.raises(OutcomeUnknown, match="broke off"):
        passenger.result(10)
    assert later.result(10) == b"re:later"
    airport.expect_at_rest()


def test_a_call_that_a_flight_forgets_is_unknown(airport: Airport) -> None:
    airport.strand = True
    with pytest.raises(OutcomeUnknown):
        airport.ask(b"a")
    airport.strand = False
    airport.expect_at_rest()


def test_hundreds_of_callers_each_get_their_own_answer(airport: Airport) -> None:
    answers: dict[bytes, bytes] = {}

    def chat(caller: int) -> None:
        for number in range(20):
            question = b"%d-%d" % (caller, number)
            answers[question] = airport.ask(question)

    run_at_once(*[lambda caller=caller: chat(caller) for caller in range(200)])
    assert len(answers) == 4000
    assert all(answer == b"re:" + question for question, answer in answers.items())
    airport.expect_at_rest()
    assert max(map(len, airport.flights)) <= 64


def test_callers_that_give_up_at_any_moment_wedge_nobody() -> None:
    chance = random.Random(11)

    def fly(calls: Sequence[Call]) -> None:
        time.sleep(chance.choice((0, 0.001, 0.003)))
        for call in calls:
            call.answer(call.command)

    gatherer = Gatherer("ledger", fly, 4, 30)

    def call_impatiently(caller: int) -> None:
        mood = random.Random(caller)
        for number in range(150):
            command = b"%d-%d" % (caller, number)
            with suppress(StoreError):
                assert gatherer.submit(command, within(mood.choice((0, 0.0005, 0.001, 0.003, 0.01)))) == command

    run_at_once(*[lambda caller=caller: call_impatiently(caller) for caller in range(20)])
    assert gatherer.submit(b"still here", within()) == b"still here"


# -- greenlets that are killed -----------------------------------------------------------------------


@only_with_greenlets
def test_a_greenlet_killed_while_it_flies_hands_the_lead_on(airport: Airport) -> None:
    airport.free.clear()
    leader = gevent.spawn(airport.ask, b"first")
    eventually(lambda: airport.flights, what="the leader flies")
    other = airport.send(b"other")
    leader.kill()
    airport.release()
    assert other.result(10) == b"re:other"
    airport.expect_at_rest()


@only_with_greenlets
def test_a_greenlet_killed_while_it_waits_is_never_given_the_lead(airport: Airport) -> None:
    first = airport.hold()
    doomed = gevent.spawn(airport.ask, b"doomed", 60)
    eventually(airport.waiting, what="it waits")
    other = airport.send(b"other")
    doomed.kill()
    airport.release()
    assert [first.result(10), other.result(10)] == [b"re:first", b"re:other"]
    airport.expect_at_rest()
    assert not any(b"doomed" in flight for flight in airport.flights)


@only_with_greenlets
def test_a_greenlet_killed_just_as_it_gets_the_lead_hands_it_on(airport: Airport) -> None:
    airport.free.clear()
    first = gevent.spawn(airport.ask, b"first")
    eventually(lambda: airport.flights, what="the leader flies")
    doomed = gevent.spawn(airport.ask, b"doomed", 60)
    other = gevent.spawn(airport.ask, b"other", 30)
    eventually(lambda: airport.waiting() == 2, what="both wait")
    # The kill is on its way, but doomed still waits with the most time left: it is the one that gets the lead.
    airport.before_landing = lambda: doomed.kill(block=False)
    airport.release()
    gevent.joinall([first, doomed, other], timeout=10)
    assert other.value == b"re:other"
    assert not any(b"doomed" in flight for flight in airport.flights)
    airport.expect_at_rest()


def test_a_lone_posting_leaves_at_once(airport: Airport) -> None:
    airport.post(b"note")
    assert airport.flights == [[b"note"]]
    airport.expect_at_rest()


def test_nobody_waits_for_a_posting_and_the_next_flight_takes_it_along(airport: Airport) -> None:
    first = airport.hold()
    airport.post(b"note")
    assert not first.done()
    other = airport.send(b"other")
    airport.release()
    assert [first.result(10), other.result(10)] == [b"re:first", b"re:other"]
    assert airport.flights == [[b"first"], [b"note", b"other"]]
    airport.expect_at_rest()


def test_postings_behind_which_nobody_waits_are_flown_by_who_leads(open_airport: Callable[..., Airport]) -> None:
    airport = open_airport(most=2)
    first = airport.hold()
    for note in (b"1", b"2", b"3"):
        airport.post(note)
    airport.release()
    assert first.result(10) == b"re:first"
    assert airport.flights == [[b"first"], [b"1", b"2"], [b"3"]]
    airport.expect_at_rest()


def test_a_posting_that_failed_is_reported(airport: Airport) -> None:
    first = airport.hold()
    told: list[Exception] = []
    airport.post(b"late", seconds=0.0, report=told.append)
    airport.post(b"lost", report=told.append)
    other = airport.send(b"other")
    airport.hold_the_next()
    airport.crash = OutcomeUnknown("ledger", "cut")
    airport.release()
    assert first.result(10) == b"re:first"
    with pytest.raises(OutcomeUnknown):
        other.result(10)
    assert [type(error) for error in told] == [DeadlinePassed, OutcomeUnknown]
    airport.expect_at_rest()


def test_a_posting_beyond_the_bound_is_refused(open_airport: Callable[..., Airport]) -> None:
    airport = open_airport(bound=1)
    airport.hold()
    airport.post(b"note")
    with pytest.raises(TooBusy):
        airport.post(b"one too many")


def test_postings_whose_leader_broke_off_are_taken_along_by_the_next_caller(airport: Airport) -> None:
    first = airport.hold()
    airport.post(b"note")
    airport.crash = RuntimeError("struck by lightning")
    airport.release()
    with pytest.raises(RuntimeError, match="lightning"):
        first.result(10)
    assert airport.ask(b"other") == b"re:other"
    assert airport.flights == [[b"first"], [b"other", b"note"]]
    airport.expect_at_rest()


@pytest.mark.parametrize("bound", [4, 1000])
def test_postings_that_a_broken_flight_left_stand_in_nobodys_way(
    open_airport: Callable[..., Airport], bound: int
) -> None:
    airport = open_airport(most=2, bound=bound)
    first = airport.hold()
    for note in (b"1", b"2", b"3", b"4"):
        airport.post(note)
    airport.crash = RuntimeError("struck by lightning")
    airport.release()
    with pytest.raises(RuntimeError, match="lightning"):
        first.result(10)
    assert airport.ask(b"other", seconds=1) == b"re:other"
    assert airport.flights == [[b"first"], [b"other", b"1"], [b"2", b"3"], [b"4"]]
    airport.expect_at_rest()


def test_who_waits_behind_postings_leads_when_a_flight_breaks_off(open_airport: Callable[..., Airport]) -> None:
    airport = open_airport(most=1)
    first = airport.hold()
    airport.post(b"note")
    other = airport.send(b"other")
    airport.crash = RuntimeError("struck by lightning")
    airport.release()
    with pytest.raises(RuntimeError, match="lightning"):
        first.result(10)
    assert other.result(5) == b"re:other"
    airport.expect_at_rest()


def test_a_report_that_fails_costs_nobody_the_lead(airport: Airport) -> None:
    def report(error: Exception) -> None:
        raise RuntimeError("a site's own log") from error

    first = airport.hold()
    airport.post(b"late", seconds=0.0, report=report)
    airport.post(b"lost", report=report)
    airport.strand = True
    airport.release()
    with pytest.raises(OutcomeUnknown):
        first.result(10)
    airport.strand = False
    assert airport.ask(b"other", seconds=1) == b"re:other"
    airport.expect_at_rest()
