"""What each live process says of its moment; it is gone with the process."""

from __future__ import annotations

from collections import deque
from functools import cached_property

from prometheus_client import CollectorRegistry, Gauge

_TICKS = 15
"""Ticks whose worst lag is told: Prometheus, which comes every 15 s or so, should not miss one."""


class Present:
    """Gauges, each made when a process first has something to say."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._lags: deque[float] = deque(maxlen=_TICKS)

    def ticked(self, late: float, in_flight: int) -> None:
        """A timer fired so many seconds late, while so many purchases were under way."""
        self._lags.append(late)
        self._hub_lag.set(max(self._lags))
        self._in_flight.set(in_flight)

    def turned(self, loop: str, at: float) -> None:
        """A loop (``relay``, ``expire``, ``writer``) began a turn at this moment (Unix seconds)."""
        self._loops.labels(loop).set(at)

    @cached_property
    def _hub_lag(self) -> Gauge:
        return Gauge(
            "seckill_hub_lag_seconds", "How late a timer of a worker fired: the worst worker, the last 15 s",
            registry=self._registry, multiprocess_mode="livemax",
        )  # fmt: skip

    @cached_property
    def _in_flight(self) -> Gauge:
        return Gauge(
            "seckill_in_flight", "Purchases under way in all workers", registry=self._registry,
            multiprocess_mode="livesum",
        )  # fmt: skip

    @cached_property
    def _loops(self) -> Gauge:
        return Gauge(
            "seckill_loop_time_seconds", "When a loop last began a turn (Unix time): the process that is behind most",
            ["loop"], registry=self._registry, multiprocess_mode="livemin",
        )  # fmt: skip
