"""KILL: freezes one server in mid-sale, and lets it go on a few seconds later."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from stack import Server

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
        elif self._frozen_at is not None and time.monotonic() - self._frozen_at > FROZEN_FOR_S:
            self.end()

    def end(self) -> str:
        """Thaw the victim, however far things went; say what happened."""
        if self._frozen_at is None:
            return f"{self.victim.name} was to be frozen after {self.after} orders, which never came"
        if not self._over:
            self.victim.resume()
            self._over = True
        return f"{self.victim.name} was frozen for {FROZEN_FOR_S:.0f} s after {self.after} orders"
