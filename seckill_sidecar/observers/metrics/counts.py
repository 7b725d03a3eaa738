"""What a host's processes count, for Prometheus: each in files of its own place, added up when somebody asks.

The names are an interface: contrib/docs/operations.md lists them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.registry import Collector

from seckill_sidecar.gate.hand_off import HandedOff
from seckill_sidecar.gate.pipeline import RESERVED, STAGES, Decided
from seckill_sidecar.gate.settle import Told
from seckill_sidecar.model import EventKind, Verdict
from seckill_sidecar.observers.metrics.counted import Counted
from seckill_sidecar.observers.metrics.present import Present
from seckill_sidecar.observers.metrics.slots import Slots
from seckill_sidecar.workers.writer import Committed

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus_client looks
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_STAGE_SECONDS = (0.0001, 0.00025, 0.0005, *_SECONDS)
_LAG_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
_MOST_ITEMS = 200
_OTHER = "other"
_STATES = {"closed": 0, "half-open": 1, "open": 2}


class Metrics:
    """The figures of one process. Make one a process, after the last fork.

    One figure costs a process some two microseconds, so a purchase that is turned away gets no more than it needs: a
    count and its seconds by verdict; if the ledger was asked, that stage's seconds too. Every stage is told of
    purchases that are orders: of those there are only as many as there are units.
    """

    def __init__(self, folder: Path, role: str) -> None:
        """``role`` is ``sidecar``, ``relay`` or ``writer``. Raises ``SeckillError`` if the folder can't be used."""
        self._slots = Slots(folder)
        place = self._slots.take(role)
        os.environ[_FOLDER_VARIABLE] = str(folder)
        values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]
        self._items: set[str] = set()
        self._figures: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        registry = CollectorRegistry()
        self.present = Present(registry)
        self._decisions = Counter("seckill_decisions", "Purchases decided", ["verdict", "item"], registry=registry)
        self._decision_seconds = Histogram(
            "seckill_decision_seconds", "From the request's line to the verdict", ["verdict"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._shadow = Counter(
            "seckill_shadow_decisions", "What would have been decided of purchases that the storefront served",
            ["verdict", "item"], registry=registry,
        )  # fmt: skip
        self._passed_on = Counter(
            "seckill_passed_on", "Purchase requests that nobody decided: the route is off, or not for this buyer",
            ["route"], registry=registry,
        )  # fmt: skip
        stages = Histogram(
            "seckill_stage_seconds", "A stage of a purchase: reserve if the ledger was asked, all of an order",
            ["stage"], buckets=_STAGE_SECONDS, registry=registry,
        )  # fmt: skip
        self._stages = {stage: stages.labels(stage) for stage in (*STAGES, "reply")}
        self._hand_off_lag = Histogram(
            "seckill_hand_off_lag_seconds", "From an order's acceptance to RabbitMQ's confirm", buckets=_LAG_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._write_lag = Histogram(
            "seckill_write_lag_seconds", "From an order's acceptance to its COMMIT", buckets=_LAG_SECONDS,
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
        count, seconds_of = self._figures_of(fact.verdict.value, self._item_of(fact))
        count.inc()
        seconds_of.observe(fact.seconds)
        if fact.verdict is Verdict.ACCEPTED:
            for stage, seconds in fact.stages().items():
                self._stages[stage].observe(seconds)
        elif fact.asked_ledger:
            self._stages["reserve"].observe(fact.moments[RESERVED] - fact.moments[RESERVED - 1])

    def handed_off(self, fact: HandedOff) -> None:
        """Note how long an order waited for RabbitMQ."""
        if fact.kind is EventKind.ACCEPTED:
            self._hand_off_lag.observe(fact.lag)

    def committed(self, fact: Committed) -> None:
        """Note how long orders waited for the database."""
        for event in fact.events:
            if event.kind is EventKind.ACCEPTED:
                self._write_lag.observe(fact.lag(event))

    def rehearsed(self, fact: Decided) -> None:
        """Count a purchase of a route in shadow."""
        self._shadow.labels(fact.verdict.value, self._item_of(fact)).inc()

    def passed_on(self, route: str) -> None:
        """Count a request of a route that was left to the storefront undecided."""
        self._passed_on.labels(route).inc()

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

    def _item_of(self, fact: Decided) -> str:
        return self._item(fact.item) if fact.verdict is not Verdict.UNKNOWN_ITEM else _OTHER

    def _figures_of(self, verdict: str, item: str) -> tuple[Counter, Histogram]:
        """Looked up once: ``labels`` costs as much as counting. As many as there are verdicts and items."""
        figures = self._figures.get((verdict, item))
        if figures is None:
            figures = self._decisions.labels(verdict, item), self._decision_seconds.labels(verdict)
            self._figures[verdict, item] = figures
        return figures

    def _item(self, sku: str) -> str:
        """A client chooses what it asks for, so only so many names are kept."""
        if sku not in self._items:
            if len(self._items) >= _MOST_ITEMS:
                return _OTHER
            self._items.add(sku)
        return sku
