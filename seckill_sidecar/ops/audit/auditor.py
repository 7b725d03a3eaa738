"""The audit: look at everything once, and again at what looks wrong, until it is right or the patience is over.

read each item ──► read what is parked ──► look again at orders in motion ──► read sums again that don't fit ──► report
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing

from seckill_sidecar.adapters.places import Places
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import UsageError
from seckill_sidecar.ops.audit.findings import report_on
from seckill_sidecar.ops.audit.reading import Reader, Reading
from seckill_sidecar.ops.audit.report import Report
from seckill_sidecar.ports import Ledger, OrdersDb

LONGEST = 6
"""After so many times the patience nobody waits any longer, though orders still arrive: they are on their way."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_SECONDS = 5.0


class Auditor:
    """Compares ledger and database, item by item and order by order. Changes nothing in either."""

    def __init__(self, ledger: Ledger, orders: OrdersDb, clock: Clock, patience: float) -> None:
        """``patience`` in seconds: for how long nothing may arrive before what has not arrived is called missing."""
        self._ledger = ledger
        self._orders = orders
        self._clock = clock
        self._patience = patience

    def audit(self, skus: Sequence[str] = ()) -> Report:
        """Audit these items, or all. Raises ``UsageError`` for an unknown one, and ``StoreError``."""
        items = self._items(skus)
        with closing(Places()) as places:
            reader = Reader(self._ledger, self._orders, self._clock, places)
            readings = [reader.read(sku) for sku in items]
            reader.read_parked(readings)
            deadline = Deadline.after(self._patience, self._clock)
            arriving = self._look_again(reader, places, readings)
            self._reckon_again(reader, readings, deadline)
            return report_on(readings, places, arriving)

    def _items(self, skus: Sequence[str]) -> list[str]:
        known = set(self._ledger.items(Deadline.after(_SECONDS, self._clock))) | set(self._orders.items())
        if unknown := sorted(set(skus) - known):
            raise UsageError(f"neither ledger nor database has an item {', '.join(unknown)[:200]}")
        return sorted(set(skus) or known)

    def _look_again(self, reader: Reader, places: Places, readings: Collection[Reading]) -> bool:
        """Until every order has its place, or none has come to it for the patience.

        New orders aren't looked at, so this ends while the sale goes on. Whether orders still arrived when it ended.
        """
        end = self._clock.monotonic() + LONGEST * self._patience
        quiet_until = self._clock.monotonic() + self._patience
        pause, left = _FIRST_PAUSE, _unsettled(places, readings)
        while left and self._clock.monotonic() < quiet_until:
            if self._clock.monotonic() >= end:
                return True
            self._clock.sleep(min(pause, self._patience))
            pause = min(2 * pause, _LONGEST_PAUSE)
            reader.read_again(readings)
            before, left = left, _unsettled(places, readings)
            if left < before:
                quiet_until = self._clock.monotonic() + self._patience
        return False

    def _reckon_again(self, reader: Reader, readings: Collection[Reading], deadline: Deadline) -> None:
        """Read sums again that did not fit. Each once at least, unless there is no patience at all."""
        for reading in readings:
            again = self._patience > 0
            while again and reading.books.faults and not reading.damage:
                self._clock.sleep(_FIRST_PAUSE)
                reader.read_books_again(reading)
                again = not deadline.passed()


def _unsettled(places: Places, readings: Collection[Reading]) -> int:
    return sum(len(order_ids) for reading in readings for order_ids in places.unsettled(reading.sku))
