"""Shows on standard error how far the sale is: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field

BAR = 30
DRAW_EVERY_S, SAY_EVERY_S = 0.1, 3.0


@dataclass
class Progress:
    """How many of ``total`` requests have their answer."""

    total: int
    _drawn_at: float = field(default_factory=time.monotonic)
    _terminal: bool = field(default_factory=sys.stderr.isatty)

    def tick(self, tally: Counter[str]) -> None:
        """Show the tally, if it is time to."""
        every = DRAW_EVERY_S if self._terminal else SAY_EVERY_S
        if time.monotonic() - self._drawn_at >= every:
            self._drawn_at = time.monotonic()
            self._draw(tally)

    def end(self, tally: Counter[str]) -> None:
        """Show the tally a last time and go on to the next line."""
        self._draw(tally)
        if self._terminal:
            print(file=sys.stderr)

    def _draw(self, tally: Counter[str]) -> None:
        done = sum(dict(tally).values())
        counts = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(dict(tally).items()))
        if not self._terminal:
            print(f"demo: {done:,} of {self.total:,} answered: {counts}", file=sys.stderr, flush=True)
            return
        full = BAR * done // self.total
        bar = "█" * full + "·" * (BAR - full)
        print(f"\r\x1b[K{bar} {done:,}/{self.total:,}  {counts}", end="", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """One line on standard error about what is going on."""
    print(f"demo: {text}", file=sys.stderr, flush=True)
