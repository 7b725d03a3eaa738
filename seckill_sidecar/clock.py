"""Time, order ids and randomness as arguments, so that tests are exact and runs can be replayed.

``Clock`` is passed to whatever asks for the time. Production uses ``SystemClock``; tests use
``ManualClock``, which moves only when told to.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Protocol

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DIGIT_OF = (_CROCKFORD * 8).encode()
"""By a byte; each digit is that of as many bytes as any other."""
_MOMENT_DIGITS, _RANDOM_DIGITS = 10, 16
_AHEAD = 128
"""Ids for which randomness is drawn at once."""


class Clock(Protocol):
    """What the program asks of time. All values are seconds as floats."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back. For deadlines and windows."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC. For what is written down; may jump."""

    def sleep(self, seconds: float) -> None:
        """Wait. Under gevent, only the calling greenlet waits."""


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class ManualClock:
    """A clock for tests: stands still until ``advance`` (or ``sleep``) moves it."""

    now: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which an answer is owed, on a given clock."""

    at: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> Deadline:
        return cls(clock.monotonic() + seconds, clock)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self.clock.monotonic())

    def passed(self) -> bool:
        return self.clock.monotonic() >= self.at

    def within(self, seconds: float) -> float:
        """The timeout for one call: at most ``seconds``, never beyond this deadline."""
        return min(seconds, self.remaining())


def order_ids(clock: Clock, randomness: random.Random | None = None) -> Callable[[str], str]:
    """Return a maker of order ids: ``make(sku) -> "<sku>~<ulid>"``.

    The id names its item, so that a look-up by id alone finds the item's place in a Redis Cluster.
    The second part is a ULID (48 bits of milliseconds, 80 random bits, Crockford base 32), so ids
    sort by time. ``randomness`` defaults to the operating system's; tests pass a seeded one.
    """
    draw = _digits_ahead() if randomness is None else partial(_digits, randomness.randbytes)

    def make(sku: str) -> str:
        return f"{sku}~{_moment(int(clock.wall() * 1000))}{draw()}"

    return make


def _digits(randomness: Callable[[int], bytes], number: int = _RANDOM_DIGITS) -> str:
    return randomness(number).translate(_DIGIT_OF).decode()


def _digits_ahead() -> Callable[[], str]:
    """The operating system's randomness, drawn for many ids at once: every purchase gets one, the refused ones too."""
    drawn: list[str] = []
    # A child that drew what its parent draws would make the same ids.
    os.register_at_fork(after_in_child=drawn.clear)

    def draw() -> str:
        while True:
            try:
                return drawn.pop()
            except IndexError:
                pool = _digits(os.urandom, _AHEAD * _RANDOM_DIGITS)
                drawn.extend(pool[i : i + _RANDOM_DIGITS] for i in range(0, len(pool), _RANDOM_DIGITS))

    return draw


@lru_cache(maxsize=8)
def _moment(milliseconds: int) -> str:
    shifts = range(5 * (_MOMENT_DIGITS - 1), -1, -5)
    return "".join(_CROCKFORD[(milliseconds >> shift) & 31] for shift in shifts)


class Few:
    """Lets so many through in each second, and counts the others: log lines that any client can cause, say."""

    def __init__(self, clock: Clock, most: int = 10) -> None:
        self._clock = clock
        self._most = most
        self._since = float("-inf")
        self._passed = self._left_out = 0

    def passes(self) -> bool:
        """Whether one more may."""
        now = self._clock.monotonic()
        if now - self._since >= 1.0:
            self._since, self._passed = now, 0
        self._passed += 1
        if self._passed > self._most:
            self._left_out += 1
            return False
        return True

    def left_out(self) -> int:
        """How many did not since this was last asked."""
        count, self._left_out = self._left_out, 0
        return count
