"""Where the hub hears of orders: the database, which decides whether one is written, and the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from seckill_sidecar.errors import StoreError
from seckill_sidecar.gate.results.hub import Source
from seckill_sidecar.model import Order
from seckill_sidecar.ports import Breaker, Ledger, OrdersDb


def database_source(orders: OrdersDb, breaker: Breaker) -> Source:
    """What is committed, three to five times a second: the database itself, since a replica lags."""

    def ask(order_ids: Sequence[str]) -> Iterable[Order]:
        with breaker.calling():
            return orders.orders_named(order_ids)

    return Source("database", ask, every=0.2, longest=0.3, writes=True)


Ask = Callable[[Sequence[str]], Iterable[Order]]


def replica_first(replica: OrdersDb, breaker: Breaker, ask: Ask) -> Ask:
    """What a replica has is written, however late it is; what it has not, the database (``ask``) is asked for."""

    def ask_both(order_ids: Sequence[str]) -> Iterable[Order]:
        try:
            with breaker.calling():
                found = replica.orders_named(order_ids)
        except StoreError:  # its breaker tells; the database knows all that a replica does
            found = []
        missing = sorted(set(order_ids) - {order.id for order in found})
        return [*found, *(ask(missing) if missing else ())]

    return ask_both


def ledger_source(ledger: Ledger, breaker: Breaker) -> Source:
    """What is settled before it is written, or was accepted after all, once a second."""

    def ask(order_ids: Sequence[str]) -> Iterator[Order]:
        by_item: dict[str, list[str]] = {}
        for order_id in order_ids:
            by_item.setdefault(order_id.partition("~")[0], []).append(order_id)
        for sku, named in by_item.items():
            with breaker.calling():
                found = ledger.orders_named(sku, named)
            yield from found

    return Source("ledger", ask, every=1.0, longest=5.0, writes=False)
