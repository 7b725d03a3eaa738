"""How everything stands at one moment: which stores answer, stock, what waits on its way, what is parked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import LedgerUntrusted, StoreError
from seckill_sidecar.model import ItemView, RouteStance
from seckill_sidecar.ports import Ledger, OrdersDb, ParkedState

MOST_ITEMS = 200
"""More aren't looked at: somebody waits for the answer."""
_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ItemStanding:
    """One item of the ledger."""

    sku: str
    view: ItemView | None
    """None if it can't be read."""
    damage: str
    """Why it can't be read, if so."""
    waiting: int
    """Events in its outbox."""
    oldest_s: float
    """How long the oldest of them has waited, in seconds."""


@dataclass(slots=True)
class Standing:
    """All that was found. What a store did not tell is missing."""

    stores: dict[str, str] = field(default_factory=dict)
    """By store that was asked: why it did not answer, empty if it did."""
    items: Sequence[ItemStanding] = ()
    parked: Mapping[ParkedState, int] = field(default_factory=dict)
    queue: int | None = None
    """Messages ready for the writers; None without a broker, or if it did not answer."""
    routes: Sequence[RouteStance] = ()
    unread_routes: str = ""
    """Why it can't be read what operators say of routes, if so."""

    @property
    def ready(self) -> bool:
        """Whether every store answered."""
        return not any(self.stores.values())


class Lookout:
    """Asks the stores, each question within two seconds."""

    def __init__(
        self,
        ledger: Ledger,
        orders: OrdersDb,
        depth: Callable[[], int] | None,
        clock: Clock,
        routes: Callable[[], Sequence[RouteStance]] = tuple,
    ) -> None:
        """``depth`` counts the messages in RabbitMQ's orders queue; None without a broker. ``routes`` tells of them."""
        self._routes = routes
        self._ledger = ledger
        self._orders = orders
        self._depth = depth
        self._clock = clock

    def look(self, most_items: int = MOST_ITEMS) -> Standing:
        """Ask all of them, about so many items. Raises nothing for a store that does not answer."""
        standing = Standing()
        with _answering(standing, "ledger"):
            standing.items = [self._item(sku) for sku in islice(self._ledger.items(self._soon()), most_items)]
            try:
                standing.routes = self._routes()
            except LedgerUntrusted as error:
                standing.unread_routes = error.what
        with _answering(standing, "database"):
            standing.parked = self._orders.parked_counts()
        if self._depth is not None:
            with _answering(standing, "broker"):
                standing.queue = self._depth()
        return standing

    def _item(self, sku: str) -> ItemStanding:
        try:
            waiting, oldest_ms = self._ledger.outbox_depth(sku, self._soon())
            view = self._ledger.item(sku, self._soon())
        except LedgerUntrusted as error:
            return ItemStanding(sku, None, error.what, 0, 0.0)
        oldest_s = max(0.0, self._clock.wall() - oldest_ms / 1000) if waiting else 0.0
        return ItemStanding(sku, view, "", waiting, oldest_s)

    def _soon(self) -> Deadline:
        return Deadline.after(_SECONDS, self._clock)


@contextmanager
def _answering(standing: Standing, store: str) -> Iterator[None]:
    """Note whether a store answered what is asked of it within."""
    try:
        yield
    except StoreError as error:
        standing.stores[store] = error.what
    else:
        standing.stores[store] = ""
