"""When a store is left alone, and when it is tried again."""

from __future__ import annotations

import threading

import pytest

from seckill_sidecar.adapters.breaker import StoreBreaker
from seckill_sidecar.clock import ManualClock
from seckill_sidecar.errors import BreakerOpen, LedgerUntrusted, StoreDown, TooBusy
from seckill_sidecar.settings.schema import BreakerSettings

pytestmark = pytest.mark.gevent_too


class Bench:
    """A breaker, its clock, and what it announced."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.changes: list[tuple[str, str]] = []
        settings = BreakerSettings(window="10s", minimum=4, ratio=0.5, wait="2s")
        self.breaker = StoreBreaker(
            "ledger", settings, self.clock, [lambda _, old, new: self.changes.append((old, new))]
        )

    def succeed(self, times: int = 1) -> None:
        for _ in range(times):
            with self.breaker.calling():
                pass

    def fail(self, times: int = 1, error: Exception | None = None) -> None:
        for _ in range(times):
            with pytest.raises(Exception, match="ledger"), self.breaker.calling():
                raise error or StoreDown("ledger", "gone")

    def open_it(self) -> None:
        self.fail(4)
        assert self.breaker.state == "open"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_stays_closed_below_the_minimum_of_calls(bench: Bench) -> None:
    bench.fail(3)
    assert bench.breaker.state == "closed"


def test_it_opens_when_half_of_the_calls_in_the_window_failed(bench: Bench) -> None:
    bench.succeed(3)
    bench.fail(2)
    assert bench.breaker.state == "closed"
    bench.fail()
    assert bench.breaker.state == "open"


def test_failures_that_left_the_window_no_longer_count(bench: Bench) -> None:
    bench.fail(3)
    bench.clock.advance(11)
    bench.fail(3)
    assert bench.breaker.state == "closed"


def test_while_open_nothing_is_run_and_the_wait_is_told(bench: Bench) -> None:
    bench.open_it()
    bench.clock.advance(0.5)
    with pytest.raises(BreakerOpen) as caught, bench.breaker.calling():
        pytest.fail("the call was run")
    assert caught.value.retry_after == pytest.approx(1.5)


def test_a_refusal_by_a_healthy_store_is_no_failure(bench: Bench) -> None:
    bench.fail(20, LedgerUntrusted("ledger", "wrong type"))
    assert bench.breaker.state == "closed"


def test_a_call_that_was_never_sent_counts_neither_way(bench: Bench) -> None:
    bench.fail(3)
    bench.fail(20, TooBusy("ledger", "full"))
    bench.fail()
    assert bench.breaker.state == "open"


def test_after_the_wait_one_good_trial_closes_it(bench: Bench) -> None:
    bench.open_it()
    bench.clock.advance(2)
    bench.succeed()
    assert bench.breaker.state == "closed"
    assert bench.changes == [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]


def test_a_bad_trial_opens_it_for_another_wait(bench: Bench) -> None:
    bench.open_it()
    bench.clock.advance(2)
    bench.fail()
    assert bench.breaker.state == "open"
    with pytest.raises(BreakerOpen), bench.breaker.calling():
        pytest.fail("the call was run")
    bench.clock.advance(2)
    bench.succeed()
    assert bench.breaker.state == "closed"


def test_a_trial_that_was_never_sent_leaves_it_open_for_the_next_one(bench: Bench) -> None:
    bench.open_it()
    bench.clock.advance(2)
    bench.fail(1, TooBusy("ledger", "full"))
    assert bench.breaker.state == "open"
    bench.succeed()
    assert bench.breaker.state == "closed"


def test_only_one_of_many_callers_gets_to_be_the_trial(bench: Bench) -> None:
    bench.open_it()
    bench.clock.advance(2)
    inside, leave = threading.Event(), threading.Event()

    def try_it() -> None:
        with bench.breaker.calling():
            inside.set()
            leave.wait(10)

    trial = threading.Thread(target=try_it)
    trial.start()
    assert inside.wait(10)
    assert bench.breaker.state == "half-open"
    for _ in range(10):
        with pytest.raises(BreakerOpen), bench.breaker.calling():
            pytest.fail("a second trial ran")
    leave.set()
    trial.join(10)
    assert bench.breaker.state == "closed"


def test_a_straggler_from_before_it_opened_changes_nothing(bench: Bench) -> None:
    straggler = bench.breaker.calling()
    straggler.__enter__()
    bench.open_it()
    bench.clock.advance(1.5)
    error = StoreDown("ledger", "late")
    assert not straggler.__exit__(StoreDown, error, None)
    bench.clock.advance(0.5)
    bench.succeed()
    assert bench.breaker.state == "closed"


def test_calls_under_way_at_the_same_time_do_not_wait_for_each_other(bench: Bench) -> None:
    together = threading.Barrier(5)

    def call() -> None:
        with bench.breaker.calling():
            together.wait(10)

    callers = [threading.Thread(target=call) for _ in range(5)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert not together.broken
