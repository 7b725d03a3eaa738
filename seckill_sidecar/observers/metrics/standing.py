"""How the stores stand at the moment of asking: stock, what waits in the outbox and in RabbitMQ, what is parked.

A store that can't be asked is missing from the answer, and ``seckill_store_up`` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, StoreError
from seckill_sidecar.model import ItemView
from seckill_sidecar.ports import Ledger, OrdersDb

_MOST_ITEMS = 200
_SECONDS = 2.0
_UNITS = ("total", "free", "held", "paid")


class Standing(Collector):
    """Asks the stores, each within two seconds."""

    def __init__(self, ledger: Ledger, orders: OrdersDb, depth: Callable[[], int] | None, clock: Clock) -> None:
        """``depth`` counts the messages in RabbitMQ's orders queue; None without a broker."""
        self._ledger = ledger
        self._orders = orders
        self._depth = depth
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client wants them."""
        up = GaugeMetricFamily("seckill_store_up", "Whether a store answered just now", labels=["store"])
        questions = {"ledger": self._of_ledger, "database": self._of_database}
        if self._depth is not None:
            questions["broker"] = self._of_broker
        for store, question in questions.items():
            try:
                yield from question()
                up.add_metric([store], 1)
            except StoreError:
                up.add_metric([store], 0)
        yield up

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the stores."""
        return []

    def _of_ledger(self) -> list[Metric]:
        units = GaugeMetricFamily("seckill_item_units", "An item's units", labels=["item", "kind"])
        selling = GaugeMetricFamily("seckill_item_status", "1 for the status that it has", labels=["item", "status"])
        waiting = GaugeMetricFamily("seckill_outbox_events", "Events not handed off yet", labels=["item"])
        age = GaugeMetricFamily("seckill_outbox_oldest_seconds", "How long the oldest has waited", labels=["item"])
        for sku in islice(self._ledger.items(self._soon()), _MOST_ITEMS):
            count, oldest_ms = self._ledger.outbox_depth(sku, self._soon())
            waiting.add_metric([sku], count)
            age.add_metric([sku], max(0.0, self._clock.wall() - oldest_ms / 1000) if count else 0.0)
            if (view := self._view(sku)) is not None:
                selling.add_metric([sku, view.status], 1)
                for kind in _UNITS:
                    units.add_metric([sku, kind], getattr(view, kind))
        return [units, selling, waiting, age]

    def _view(self, sku: str) -> ItemView | None:
        try:
            return self._ledger.item(sku, self._soon())
        except LedgerUntrusted:
            return None

    def _of_database(self) -> list[Metric]:
        parked = GaugeMetricFamily("seckill_parked_messages", "What could not be written", labels=["state"])
        for state, count in self._orders.parked_counts().items():
            parked.add_metric([state.value], count)
        return [parked]

    def _of_broker(self) -> list[Metric]:
        assert self._depth is not None  # noqa: S101 - asked only with one
        return [GaugeMetricFamily("seckill_queue_messages", "Messages ready for the writers", value=self._depth())]

    def _soon(self) -> Deadline:
        return Deadline.after(_SECONDS, self._clock)
