"""How an order stands, told to its buyer only."""

from __future__ import annotations

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import StoreError, UsageError
from seckill_sidecar.model import ORDER_ID, Order
from seckill_sidecar.ports import Breaker, Ledger, OrdersDb


class LookUp:
    """Finds an order: in the ledger, else in the database."""

    def __init__(
        self, ledger: Ledger, ledger_breaker: Breaker, orders: OrdersDb, db_breaker: Breaker, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._ledger_breaker = ledger_breaker
        self._orders = orders
        self._db_breaker = db_breaker
        self._clock = clock

    def find(self, order_id: str, seconds: float, final: bool) -> Order | None:
        """The order, or None if there is none.

        ``final`` (for a bearer of the order's own token) makes None true for ever: a purchase that may still
        be on its way with this id will find it sealed. Raises ``StoreError`` if neither store can tell.
        """
        if ORDER_ID.fullmatch(order_id) is None:
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
        return found or self._from_database(order_id)

    def _from_database(self, order_id: str) -> Order | None:
        try:
            with self._db_breaker.calling():
                return self._orders.order(order_id)
        except UsageError:
            return None
