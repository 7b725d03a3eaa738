"""A timer that says how late it fires: how long whoever has something to do in this process has to wait for a turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

from seckill_sidecar.clock import Clock

EVERY = 1.0
"""Seconds from one tick to the next."""


class Ticker:
    """Ticks in a thread of its own (under gevent a greenlet, which waits for the hub like all others)."""

    def __init__(self, tell: Callable[[float], None], clock: Clock) -> None:
        """``tell`` is told of each tick how many seconds late it came."""
        self._tell = tell
        self._clock = clock

    def start(self) -> None:
        """Tick for as long as the process lives. Call it after the last fork."""
        threading.Thread(target=self._run, name="ticker", daemon=True).start()

    def tick(self) -> None:
        """Wait for one tick, and tell of it."""
        due = self._clock.monotonic() + EVERY
        self._clock.sleep(EVERY)
        self._tell(max(0.0, self._clock.monotonic() - due))

    def _run(self) -> None:
        while True:
            self.tick()
