"""Figures for Prometheus: what the processes of a host have counted, and how the stores stand when it asks."""

from seckill_sidecar.observers.metrics.audits import Audits
from seckill_sidecar.observers.metrics.counts import Metrics
from seckill_sidecar.observers.metrics.markers import Marked
from seckill_sidecar.observers.metrics.moments import Moments
from seckill_sidecar.observers.metrics.slots import Slots

__all__ = ["Audits", "Marked", "Metrics", "Moments", "Slots"]
