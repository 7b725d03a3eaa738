"""What a host's processes count, for Prometheus: each in files of its own place, added up when somebody asks.

The names are an interface: README lists them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.registry import Collector

from seckill_sidecar.gate.pipeline import Decided
from seckill_sidecar.gate.settle import Told
from seckill_sidecar.model import Verdict
from seckill_sidecar.observers.metrics.counted import Counted
from seckill_sidecar.observers.metrics.slots import Slots

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus_client looks
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_MOST_ITEMS = 200
_OTHER = "other"
_STATES = {"closed": 0, "half-open": 1, "open": 2}


class Metrics:
    """The figures of one process. Make one a process, after the last fork."""

    def __init__(self, folder: Path, role: str) -> None:
        """``role`` is ``sidecar``, ``relay`` or ``writer``. Raises ``UsageError`` if the folder can't be used."""
        self._slots = Slots(folder)
        place = self._slots.take(role)
        os.environ[_FOLDER_VARIABLE] = str(folder)
        values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]
        self._items: set[str] = set()
        registry = CollectorRegistry()
        self._decisions = Counter("seckill_decisions", "Purchases decided", ["verdict", "item"], registry=registry)
        self._decision_seconds = Histogram(
            "seckill_decision_seconds", "From the request's line to the verdict", ["verdict"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._settlings = Counter("seckill_settlings", "Wishes to settle an order", ["outcome"], registry=registry)
        self._violations = Counter(
            "seckill_violations", "Orders beyond the total, or with another's number: something sold twice", ["item"],
            registry=registry,
        )  # fmt: skip
        self._breakers = Gauge(
            "seckill_breaker_state", "0 closed, 1 half-open, 2 open: the worst of the processes", ["store"],
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip

    # -- observers ----------------------------------------------------------------------------------

    def decided(self, fact: Decided) -> None:
        """Count a purchase."""
        verdict = fact.verdict.value
        item = self._item(fact.item) if fact.verdict is not Verdict.UNKNOWN_ITEM else _OTHER
        self._decisions.labels(verdict, item).inc()
        self._decision_seconds.labels(verdict).observe(fact.seconds)

    def settling(self, fact: Told) -> None:
        """Count a wish to settle an order."""
        self._settlings.labels(fact.outcome.value if fact.outcome is not None else "failed").inc()

    def breaker(self, store: str, _before: str, after: str) -> None:
        """Note how a breaker stands."""
        self._breakers.labels(store).set(_STATES.get(after, 2))

    def violated(self, item: str) -> None:
        """Count an order that shows that something was sold twice."""
        self._violations.labels(self._item(item)).inc()

    # -- telling ------------------------------------------------------------------------------------

    def text(self, moments: Sequence[Collector] = ()) -> bytes:
        """What all processes of the host have counted, with what these collectors find now."""
        self._slots.sweep()
        registry = CollectorRegistry()
        for collector in (Counted(self._slots.folder), *moments):
            registry.register(collector)
        return generate_latest(registry)

    def _item(self, sku: str) -> str:
        """A client chooses what it asks for, so only so many names are kept."""
        if sku not in self._items:
            if len(self._items) >= _MOST_ITEMS:
                return _OTHER
            self._items.add(sku)
        return sku
