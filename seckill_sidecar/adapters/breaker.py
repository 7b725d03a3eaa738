"""One breaker a store, on pybreaker: the only file that imports it.

pybreaker counts consecutive failures and lets any number of trials through when half open. What is added
here is an error rate over a sliding window, one trial at a time, and the caller's own clock.

    closed > open, when failures >= ratio of the window's calls, of which there are at least `minimum`
           > one trial, after `wait` > closed | open
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pybreaker

from seckill_sidecar.clock import Clock
from seckill_sidecar.errors import BreakerOpen, StoreError
from seckill_sidecar.settings.schema import BreakerSettings

_NEVER_BY_COUNT = 1 << 62

Observer = Callable[[str, str, str], None]
"""Told (store, state before, state after) at every change."""


class StoreBreaker:
    """``ports.Breaker`` for one store in one process."""

    def __init__(self, store: str, settings: BreakerSettings, clock: Clock, observers: Sequence[Observer] = ()) -> None:
        self._store = store
        self._settings = settings
        self._observers = tuple(observers)
        self._trial = threading.Lock()
        self._generation = 0
        self._storage = _ClockedStorage(clock)
        self._window = _Window(settings, clock)
        self._breaker = pybreaker.CircuitBreaker(
            name=store,
            fail_max=_NEVER_BY_COUNT,
            reset_timeout=settings.wait,
            listeners=[_Opener(self._window, self._changed)],
            state_storage=self._storage,
            throw_new_error_on_trip=False,
        )

    @property
    def state(self) -> str:
        """``closed``, ``open``, or ``half-open`` while the trial runs."""
        if self._breaker.current_state == pybreaker.STATE_CLOSED:
            return "closed"
        return "half-open" if self._trial.locked() else "open"

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Run the body as one guarded call; raises ``BreakerOpen`` instead of running it when open.

        pybreaker is told the outcome afterwards: guarding the body itself would hold its lock meanwhile.
        """
        generation, trial = self._admit()
        try:
            yield
        except StoreError as error:
            if error.evidence:
                self._report(generation, trial, error if error.trips else None)
            raise
        else:
            self._report(generation, trial, None)
        finally:
            if trial:
                self._trial.release()

    def _admit(self) -> tuple[int, bool]:
        """The present generation, and whether this call is the trial; raises if there may be none yet."""
        if self._breaker.current_state == pybreaker.STATE_CLOSED:
            return self._generation, False
        if self._retry_after() > 0 or not self._trial.acquire(blocking=False):
            raise BreakerOpen(self._store, self._retry_after())
        return self._generation, True

    def _report(self, generation: int, trial: bool, failure: StoreError | None) -> None:
        # A straggler from before the breaker opened says nothing about now: it neither closes nor reopens it.
        if generation != self._generation and not trial:
            return
        if failure is None and not trial:
            self._window.add(failed=False)  # all that pybreaker would do, after several times the work
            return
        with suppress(StoreError, pybreaker.CircuitBreakerError):
            self._breaker.call(_outcome, failure)

    def _retry_after(self) -> float:
        return max(0.0, self._settings.wait - self._storage.seconds_open())

    def _changed(self, before: str, after: str) -> None:
        self._generation += 1
        for observer in self._observers:
            observer(self._store, before, after)


def _outcome(failure: StoreError | None) -> None:
    if failure is not None:
        raise failure


class _Window:
    """Outcomes of the last ``window`` seconds."""

    def __init__(self, settings: BreakerSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=100_000)
        self._failures = 0

    def add(self, failed: bool) -> None:
        with self._lock:
            now = self._clock.monotonic()
            if len(self._outcomes) == self._outcomes.maxlen:
                self._forget_oldest()
            self._outcomes.append((now, failed))
            self._failures += failed
            while self._outcomes[0][0] < now - self._settings.window:
                self._forget_oldest()

    def clear(self) -> None:
        with self._lock:
            self._outcomes.clear()
            self._failures = 0

    def too_bad(self) -> bool:
        with self._lock:
            calls = len(self._outcomes)
            return calls >= self._settings.minimum and self._failures >= self._settings.ratio * calls

    def _forget_oldest(self) -> None:
        self._failures -= self._outcomes.popleft()[1]


class _Opener(pybreaker.CircuitBreakerListener):
    """Opens the breaker by the window's error rate, and passes changes of state on."""

    def __init__(self, window: _Window, announce: Callable[[str, str], None]) -> None:
        self._window = window
        self._announce = announce

    def success(self, cb: pybreaker.CircuitBreaker) -> None:  # noqa: ARG002 - pybreaker's signature
        self._window.add(failed=False)

    def failure(self, cb: pybreaker.CircuitBreaker, exc: BaseException) -> None:  # noqa: ARG002
        self._window.add(failed=True)
        if cb.current_state == pybreaker.STATE_CLOSED and self._window.too_bad():
            cb.open()

    def state_change(self, cb: pybreaker.CircuitBreaker, old_state: Any, new_state: Any) -> None:  # noqa: ARG002
        self._window.clear()
        self._announce(old_state.name if old_state else "", new_state.name)


class _ClockedStorage(pybreaker.CircuitMemoryStorage):
    """pybreaker asks the machine's clock; this makes it hear ours, so that tests need not wait."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(pybreaker.STATE_CLOSED)
        self._clock = clock
        self._opened: float | None = None

    def seconds_open(self) -> float:
        return float("inf") if self._opened is None else self._clock.monotonic() - self._opened

    @property
    def opened_at(self) -> datetime | None:
        return None if self._opened is None else datetime.now(UTC) - timedelta(seconds=self.seconds_open())

    @opened_at.setter
    def opened_at(self, _: datetime) -> None:
        self._opened = self._clock.monotonic()
