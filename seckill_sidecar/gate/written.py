"""Orders as the database has them, from a replica where its answer can't be false.

A replica lags: an order that it does not know may be on its way, and one that it has as held may be paid by now. But an
order that was settled stays as it is. So a settled order is taken from the replica, and all else is asked of the
database itself.
"""

from __future__ import annotations

from seckill_sidecar.errors import StoreError
from seckill_sidecar.model import Order, State
from seckill_sidecar.ports import Breaker, OrdersDb


class WrittenOrders:
    """What was written of orders, for who looks them up."""

    def __init__(
        self,
        orders: OrdersDb,
        breaker: Breaker,
        replica: OrdersDb | None = None,
        replica_breaker: Breaker | None = None,
    ) -> None:
        """Without a replica the database alone is asked."""
        self._orders = orders
        self._breaker = breaker
        self._replica = (replica, replica_breaker) if replica is not None and replica_breaker is not None else None

    def order(self, order_id: str) -> Order | None:
        """The order, or None if the database has none. Raises ``StoreError`` if it can't tell."""
        settled = self._settled_on_replica(order_id)
        if settled is not None:
            return settled
        with self._breaker.calling():
            return self._orders.order(order_id)

    def _settled_on_replica(self, order_id: str) -> Order | None:
        if self._replica is None:
            return None
        replica, breaker = self._replica
        try:
            with breaker.calling():
                found = replica.order(order_id)
        except StoreError:  # its breaker tells; the database knows all that a replica does
            return None
        return found if found is not None and found.state is not State.HELD else None
