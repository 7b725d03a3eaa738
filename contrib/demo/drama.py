"""KILL: freezes one server in mid-sale, and lets it go on a few seconds later."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from stack import Server

from demo.progress import say

FROZEN_FOR_S = 4.0


@dataclass
class Drama:
    """Freezes ``victim`` once ``after`` orders were accepted; called again and again with the sale's tally."""

    victim: Server
    after: int
    _frozen_at: float | None = None
    _over: bool = False

    def tick(self, tally: Counter[str]) -> None:
        """Freeze or thaw the victim if it is time to."""
        if self._frozen_at is None and tally["accepted"] >= self.after:
            self.victim.pause()
            self._frozen_at = time.monotonic()
            say(f"{self.victim.name} is frozen after {tally['accepted']} orders")
        elif not self._over and self._frozen_at is not None and time.monotonic() - self._frozen_at > FROZEN_FOR_S:
            self.end()

    def end(self) -> None:
        """Thaw the victim, however far things went."""
        if self._frozen_at is None:
            say(f"{self.victim.name} was to be frozen after {self.after} orders, which never came")
        elif not self._over:
            self.victim.resume()
            self._over = True
            say(f"{self.victim.name} is back after {time.monotonic() - self._frozen_at:.1f} s")


class NoDrama:
    """Nothing happens."""

    def tick(self, tally: Counter[str]) -> None:
        """Let it be."""

    def end(self) -> None:
        """Let it be."""
