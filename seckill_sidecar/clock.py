"""Time, order ids and randomness as arguments, so that tests are exact and runs can be replayed.

``Clock`` is passed to whatever asks for the time. Production uses ``SystemClock``; tests use
``ManualClock``, which moves only when told to.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _CROCKFORD for low in _CROCKFORD]
_SHIFTS = range(120, -1, -10)
_RANDOM_BITS = 80


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
    source = randomness or random.SystemRandom()

    def make(sku: str) -> str:
        milliseconds = int(clock.wall() * 1000)
        return f"{sku}~{_crockford((milliseconds << _RANDOM_BITS) | source.getrandbits(_RANDOM_BITS))}"

    return make


def _crockford(value: int) -> str:
    """26 digits, two at a time: every purchase gets an id, the refused ones too."""
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])
