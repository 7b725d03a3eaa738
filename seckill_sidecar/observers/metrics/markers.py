"""The shield's markers as gauges: for which items nginx answers by itself, and what."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from seckill_sidecar.adapters.markers import REASONS, Markers
from seckill_sidecar.errors import StoreError

_MOST_ITEMS = 200
_VERDICTS = frozenset(reason.value for reason in REASONS)


class Marked(Collector):
    """Looks into the folder when somebody asks. One that isn't there yet has no markers."""

    def __init__(self, markers: Markers) -> None:
        self._markers = markers

    def describe(self) -> list[Metric]:
        """Nothing: registering must not look."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One gauge of 1 for each marker, of the first 200 items by name; ``_all`` is every item at once."""
        family = GaugeMetricFamily("seckill_shield_marked", "1: nginx answers this", labels=["item", "verdict"])
        try:
            marked = self._markers.marked()
        except StoreError:
            marked = {}
        for item in sorted(marked)[:_MOST_ITEMS]:
            for verdict in sorted(marked[item] & _VERDICTS):
                family.add_metric([item, verdict], 1)
        yield family
