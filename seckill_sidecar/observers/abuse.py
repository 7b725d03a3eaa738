"""Addresses that ask again and again without sense, for fail2ban: ``contrib/fail2ban`` reads these lines.

A flood must not become a flood of lines, so there are only so many in a time. Who asks most is in most of
them, which is all that a count by address needs. Nothing in a line is a client's to choose.
"""

from __future__ import annotations

import logging

from seckill_sidecar.clock import Clock
from seckill_sidecar.gate.pipeline import Decided
from seckill_sidecar.model import Rate, Verdict

ABUSE = frozenset([Verdict.RATE_LIMITED, Verdict.UNIDENTIFIED, Verdict.NOT_ADMITTED, Verdict.INVALID])
"""Who hears one of these again and again asks without sense."""
_log = logging.getLogger("seckill_sidecar.abuse")


class AbuseLog:
    """One line at info for a purchase whose fact names an address, as often as the rate allows."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._left = float(rate.burst)
        self._filled_at = clock.monotonic()

    def __call__(self, fact: Decided) -> None:
        if fact.address and _log.isEnabledFor(logging.INFO) and self._may_write():
            _log.info("refused", extra={"verdict": fact.verdict.value, "address": fact.address, "route": fact.route})

    def _may_write(self) -> bool:
        now, rate = self._clock.monotonic(), self._rate
        self._left = min(rate.burst, self._left + (now - self._filled_at) * rate.count / rate.per)
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
