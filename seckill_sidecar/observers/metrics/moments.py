"""The standing of the stores as Prometheus's gauges. A store that did not answer is missing, and ``up`` says which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from seckill_sidecar.gate.standing import ItemStanding, Lookout

_UNITS = ("total", "free", "held", "paid")


class Moments(Collector):
    """Looks when somebody asks."""

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the stores."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client wants them."""
        standing = self._lookout.look()
        up = GaugeMetricFamily("seckill_store_up", "Whether a store answered just now", labels=["store"])
        for store, why in standing.stores.items():
            up.add_metric([store], 0 if why else 1)
        yield up
        yield from _of_items(standing.items)
        parked = GaugeMetricFamily("seckill_parked_messages", "What could not be written", labels=["state"])
        for state, count in standing.parked.items():
            parked.add_metric([state.value], count)
        yield parked
        if standing.queue is not None:
            yield GaugeMetricFamily("seckill_queue_messages", "Messages ready for the writers", value=standing.queue)


def _of_items(items: Sequence[ItemStanding]) -> list[Metric]:
    units = GaugeMetricFamily("seckill_item_units", "An item's units", labels=["item", "kind"])
    status = GaugeMetricFamily("seckill_item_status", "1 for the status that it has", labels=["item", "status"])
    waiting = GaugeMetricFamily("seckill_outbox_events", "Events not handed off yet", labels=["item"])
    age = GaugeMetricFamily("seckill_outbox_oldest_seconds", "How long the oldest has waited", labels=["item"])
    for item in items:
        waiting.add_metric([item.sku], item.waiting)
        age.add_metric([item.sku], item.oldest_s)
        status.add_metric([item.sku, item.view.status if item.view is not None else "damaged"], 1)
        if item.view is not None:
            for kind in _UNITS:
                units.add_metric([item.sku, kind], getattr(item.view, kind))
    return [units, status, waiting, age]
