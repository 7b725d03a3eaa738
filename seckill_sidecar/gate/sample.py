"""Which purchases are told of in spans, decided before anything else: one that isn't costs next to nothing.

A request whose ``traceparent`` has decided it is followed; of the others a share begins a trace of its own. Whoever
sends the header decides, and that may be a client. So there is a bound: beyond it, nothing is told.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from typing import Any

from seckill_sidecar.clock import Clock
from seckill_sidecar.wire.trace import NO_TRACE, Trace, is_sampled, trace_id, traceparent_of

MOST_A_SECOND = 100
"""Purchases that a process tells of."""


class Sampler:
    """In the place of ``wire.trace.follow``."""

    def __init__(self, share: float, clock: Clock, randomness: random.Random | None = None) -> None:
        """``share`` from 0 to 1. ``randomness`` makes ids, too; tests pass a seeded one."""
        self._share = share
        self._clock = clock
        self._randomness = randomness or random.Random()  # noqa: S311 - ids have to differ, no more
        if randomness is None:
            # A child that draws what its parent draws would tell of other purchases under the same ids.
            os.register_at_fork(after_in_child=self._randomness.seed)
        self._second = 0
        self._told = 0

    def __call__(self, environ: Mapping[str, Any]) -> Trace:
        """Where a purchase stands; with spans of its own if it is sampled."""
        came = traceparent_of(environ)
        wanted = is_sampled(came) if came else self._randomness.random() < self._share
        if not wanted or not self._may_tell():
            return Trace(came) if came else NO_TRACE
        trace = trace_id(came) or self._new_id(128)
        purchase, storefront = (f"00-{trace}-{self._new_id(64)}-01" for _ in range(2))
        return Trace(came, purchase, storefront)

    def _may_tell(self) -> bool:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._told = second, 0
        self._told += 1
        return self._told <= MOST_A_SECOND

    def _new_id(self, bits: int) -> str:
        return f"{self._randomness.getrandbits(bits) or 1:0{bits // 4}x}"
