"""When to ask again: later the longer it takes, and the more there are who ask; another moment for each."""

from __future__ import annotations

import random
from collections.abc import Callable

from seckill_sidecar.clock import Clock

_SOONEST, _LATEST = 0.5, 60.0
_SHARE_OF_ITS_AGE = 0.25
_CALM = 200
"""Questions a second and process that are answered without asking anybody to come less often."""
_JITTER = 0.25
_COME_BACK = (1.0, 5.0)
"""Seconds after which those come back who were sent away together."""


class Pace:
    """One process's."""

    def __init__(self, clock: Clock, randomness: Callable[[], float] = random.random) -> None:
        """``randomness`` gives numbers from 0 to 1."""
        self._clock = clock
        self._randomness = randomness
        self._second = 0
        self._asked = 0
        self._asked_before = 0

    def poll_after(self, age: float) -> float:
        """Seconds until the next question for an order that is ``age`` seconds old."""
        crowd = max(1.0, self._rate() / _CALM)
        seconds = min(_LATEST, max(_SOONEST, age * _SHARE_OF_ITS_AGE) * crowd)
        return seconds * (1 + _JITTER * (2 * self._randomness() - 1))

    def come_back_after(self) -> float:
        """Seconds until somebody comes back who was sent away with all others."""
        soonest, latest = _COME_BACK
        return soonest + (latest - soonest) * self._randomness()

    def _rate(self) -> int:
        """Questions within a second, this one counted."""
        second = int(self._clock.monotonic())
        if second != self._second:
            self._asked_before = self._asked if second == self._second + 1 else 0
            self._second, self._asked = second, 0
        self._asked += 1
        return max(self._asked, self._asked_before)
