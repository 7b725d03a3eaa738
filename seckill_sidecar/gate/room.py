"""Room for purchases under way: so many at a time, and none that would have to wait for too long.

What can't be served in time is turned away before its body is read, with a moment to come back at that is another
one for each, or the turned away would all come back together.

Who comes now will stay for about as long as those stayed who left a moment ago. That is forgotten as soon as nobody is
inside: a store that was slow a while ago says nothing about now.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from seckill_sidecar.clock import Clock
from seckill_sidecar.model import Verdict
from seckill_sidecar.wire.answers import Refusal

BUSY = "busy"
"""The reason that the log has for whoever is turned away here."""

_SHARE_OF_THE_LATEST = 1 / 8
"""In the moving average of the time that purchases take."""
_COME_BACK = (0.5, 3.0)
"""Seconds after which those who were turned away are asked to come back, scattered evenly."""


class Room:
    """Places for the purchases under way: ``with room.place(): ...``, at once or not at all (``Refusal``, 503)."""

    def __init__(self, places: int, wait: float, clock: Clock, randomness: Callable[[], float] = random.random) -> None:
        """``wait`` in seconds: who would stay for longer is turned away. ``randomness`` gives numbers from 0 to 1."""
        self._total = places
        self._wait = wait
        self._clock = clock
        self._randomness = randomness
        # One free place each. Taking and giving back are single steps for threads and greenlets, and need no lock.
        self._free = deque([None] * places)
        self._stay = 0.0
        """Seconds that purchases take at present; 0 while that isn't known."""

    @property
    def inside(self) -> int:
        """Purchases under way in this process."""
        return self._total - len(self._free)

    def refuse_if_full(self) -> None:
        """Raise ``Refusal`` (503) if another one had no place, or would have to stay for too long. Takes no place."""
        if not self._free or self._stay > self._wait:
            raise self._too_busy()

    def place(self) -> Place:
        """A place to be entered; raises ``Refusal`` (503) there if none is free."""
        return Place(self)

    def enter(self) -> float:
        """Take a place; the moment at which that was."""
        try:
            self._free.pop()
        except IndexError:
            raise self._too_busy() from None
        return self._clock.monotonic()

    def leave(self, since: float) -> None:
        """Give back the place that was taken then."""
        stayed = self._clock.monotonic() - since
        self._stay = self._stay + (stayed - self._stay) * _SHARE_OF_THE_LATEST if self._stay else stayed
        self._free.append(None)
        if len(self._free) == self._total:
            self._stay = 0.0

    def _too_busy(self) -> Refusal:
        soonest, latest = _COME_BACK
        return Refusal(
            Verdict.UNAVAILABLE,
            "too many people are buying at this moment; this try bought nothing",
            retry_after=soonest + (latest - soonest) * self._randomness(),
            reason=BUSY,
        )


class Place:
    """One place, from its taking to its giving back."""

    __slots__ = ("_room", "_since")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._since = 0.0

    def __enter__(self) -> None:
        self._since = self._room.enter()

    def __exit__(self, *_: object) -> None:
        self._room.leave(self._since)
