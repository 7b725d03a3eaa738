"""How an order stands, told to its buyer only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, StoreError, UsageError
from seckill_sidecar.model import ORDER_ID, Order
from seckill_sidecar.ports import Breaker, Ledger


class Orders(Protocol):
    """What the database has of orders."""

    def order(self, order_id: str) -> Order | None:
        """The order, or None if there is none. Raises ``StoreError`` if that can't be told."""


class LookUp:
    """Finds an order: in the ledger, else in the database."""

    def __init__(
        self,
        ledger: Ledger,
        ledger_breaker: Breaker,
        written: Orders,
        clock: Clock,
        is_unknown: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """``is_unknown`` tells of an item whether it surely never was: neither the ledger nor the database has it."""
        self._is_unknown = is_unknown
        self._ledger = ledger
        self._ledger_breaker = ledger_breaker
        self._written = written
        self._clock = clock

    def find(self, order_id: str, seconds: float, final: bool) -> Order | None:
        """The order, or None if there is none.

        ``final`` (for a bearer of the order's own token) makes None true for ever: a purchase that may still
        be on its way with this id will find it sealed. Raises ``StoreError`` if neither store can tell.
        """
        named = ORDER_ID.fullmatch(order_id)
        if named is None or (not final and self._is_unknown(named[1])):
            return None
        deadline = Deadline.after(seconds, self._clock)
        try:
            with self._ledger_breaker.calling():
                found = self._ledger.seal(order_id, deadline) if final else self._ledger.order(order_id, deadline)
        except StoreError:
            # The ledger can't tell. The database may have the order; that it has not proves nothing.
            found = self._from_database(order_id)
            if found is None:
                raise
            return found
        found = found or self._from_database(order_id)
        if found is None:
            self._refuse_lost_item(named[1], deadline)
        return found

    def _refuse_lost_item(self, sku: str, deadline: Deadline) -> None:
        """A ledger that does not even know the item may have lost the order along with it."""
        with self._ledger_breaker.calling():
            if self._ledger.item(sku, deadline) is None:
                raise LedgerUntrusted("ledger", f"it does not know the item {sku}")

    def _from_database(self, order_id: str) -> Order | None:
        try:
            return self._written.order(order_id)
        except UsageError:
            return None
