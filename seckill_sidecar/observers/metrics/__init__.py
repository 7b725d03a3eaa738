"""Figures for Prometheus: what the processes of a host have counted, and how the stores stand when it asks."""

from seckill_sidecar.observers.metrics.counts import Metrics
from seckill_sidecar.observers.metrics.slots import Slots
from seckill_sidecar.observers.metrics.standing import Standing

__all__ = ["Metrics", "Slots", "Standing"]
